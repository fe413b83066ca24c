package servers

import (
	"context"
	"strings"
	"testing"
	"time"
)

func TestAsynchronousStandbyLacksWhatWasAcknowledged(t *testing.T) {
	pair := PostgresWithAsyncStandby(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	write := func(statement string) {
		t.Helper()
		if answer, err := queryPostgres(ctx, pair.Primary.hostport(0), statement); err != nil {
			t.Fatalf("%q, %v", answer, err)
		}
	}
	write("CREATE TABLE kept (n int)")
	pair.Heal()
	pair.Cut()
	write("CREATE TABLE lost (n int)")
	pair.Primary.Stop()
	pair.Promote()
	answer, err := queryPostgres(ctx, pair.Standby.hostport(0), "SELECT relname FROM pg_class WHERE relname IN ('kept', 'lost')")
	if err != nil || !strings.Contains(answer, "kept") || strings.Contains(answer, "lost") {
		t.Errorf("the standby has %q, %v", answer, err)
	}
}

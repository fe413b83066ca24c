package postgres

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed-a1d591d3/leadership/store"
)

func TestServiceSaysWhichServersAreUsed(t *testing.T) {
	services := filepath.Join(t.TempDir(), "services")
	t.Setenv("PGSERVICEFILE", services)
	t.Setenv("PGSERVICE", "here")
	for line, want := range map[string]pgconn.ValidateConnectFunc{
		"target_session_attrs=primary": pgconn.ValidateConnectTargetSessionAttrsPrimary,
		"dbname=d":                     pgconn.ValidateConnectTargetSessionAttrsReadWrite,
	} {
		if err := os.WriteFile(services, []byte("[here]\nhost=h\n"+line+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := planOf(new(store.URL))
		if err != nil {
			t.Fatal(err)
		}
		if got := p.config.ConnConfig.ValidateConnect; reflect.ValueOf(got).Pointer() != reflect.ValueOf(want).Pointer() {
			t.Errorf("with %s other servers are used", line)
		}
	}
}

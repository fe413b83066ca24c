package leadcron

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestLocksDoNotPileUpOnAStoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := faultstore.New(memory.New())
		kv.IgnoreContexts(true)
		kv.Partition()
		l := newLocker(t, kv, "* * * * * *", 0, WithRoundOptions(leadership.WithCallTimeout(time.Second/2)))
		const hour = 3600
		for range hour {
			if _, err := l.Lock(t.Context(), "job"); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			time.Sleep(time.Second / 2)
		}
		if n := kv.Calls(faultstore.OpAtomicPut); n > hour/10 {
			t.Errorf("%d calls hang", n)
		}
		kv.Heal()
		_ = kv.Close()
	})
}

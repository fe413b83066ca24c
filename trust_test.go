package leadership

import (
	"context"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestTrustIsWhatIsLeftOfTheClaim(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		c := NewCandidate(memory.New(), key, "a", time.Second, WithRenewInterval(300*time.Millisecond), WithGrace(100*time.Millisecond))
		if d := c.Trust(); d != 0 {
			t.Errorf("%v before the campaign", d)
		}
		const whole = time.Second - 200*time.Millisecond - 100*time.Millisecond
		err := c.Run(ctx, func(ctx context.Context, _ Term) error {
			if d := c.Trust(); d != whole {
				t.Errorf("%v at the beginning of the term, want %v", d, whole)
			}
			time.Sleep(250 * time.Millisecond)
			if d := c.Trust(); d != whole-250*time.Millisecond {
				t.Errorf("%v before the renewal", d)
			}
			time.Sleep(100 * time.Millisecond)
			if d := c.Trust(); d != whole-50*time.Millisecond {
				t.Errorf("%v after the renewal", d)
			}
			c.Stop()
			if d := c.Trust(); d != 0 {
				t.Errorf("%v after the end of the term", d)
			}
			return ctx.Err()
		})
		if err != nil {
			t.Error(err)
		}
	})
}

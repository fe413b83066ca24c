package main

import (
	"context"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership"
)

// TestStatusThatIsCutOffTellsWhatItSaw: the time of --timeout may be over in the
// middle of a look, which then finds nothing.
func TestStatusThatIsCutOffTellsWhatItSaw(t *testing.T) {
	for name, nothing := range map[string][]leadership.Standing{"of a key": {{}}, "of a prefix": nil} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			looks := 0
			all, err := watchOver(ctx, func(ctx context.Context) ([]leadership.Standing, error) {
				if looks++; looks > 1 {
					cancel()
					time.Sleep(60 * time.Millisecond) // the record may have changed
					return nothing, ctx.Err()
				}
				return []leadership.Standing{{Key: "k", Term: leadership.Term{Leader: "a", Token: 5, TTL: 50 * time.Millisecond}, Beat: 1}}, nil
			})
			if err != nil || len(all) != 1 || all[0].Key != "k" || all[0].Term.Leader != "a" || all[0].expired() {
				t.Errorf("it tells of %v, %v", all, err)
			}
		})
	}
}

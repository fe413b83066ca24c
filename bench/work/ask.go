package work

import (
	"context"
	"fmt"
	"testing"

	"github.com/seed-a1d591d3/leadership/bench/peers"
)

// ask has the leader asked whether it leads, again and again, and tells of the nanoseconds and
// the allocations of one answer.
func ask(ctx context.Context, t *Task, tell func(Report)) error {
	clients, closeAll, err := t.open(ctx)
	if err != nil {
		return err
	}
	defer closeAll()
	c, err := clients[0].Candidate(t.Key, "node", t.TTL)
	if err != nil {
		return err
	}
	asked, ok := c.(peers.Asker)
	if !ok {
		return fmt.Errorf("%s cannot be asked", t.Side)
	}
	if err := c.Campaign(ctx); err != nil {
		return err
	}
	samples := make(map[string][]float64)
	for range t.Times {
		wrong := 0
		r := testing.Benchmark(func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !asked.IsLeader() {
					wrong++
				}
			}
		})
		if wrong > 0 {
			return fmt.Errorf("%d answers of the leader are no", wrong)
		}
		samples["ns"] = append(samples["ns"], float64(r.T.Nanoseconds())/float64(r.N))
		samples["allocs"] = append(samples["allocs"], float64(r.AllocsPerOp()))
	}
	tell(Report{Samples: samples})
	return nil
}

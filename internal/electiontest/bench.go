package electiontest

import (
	"context"
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership"
)

// BenchmarkHandover measures the time from the Resign of one of two candidates
// until the other is told that it leads, to and fro. It reports the median and
// the 99th percentile in milliseconds, and how often the seat went back to the
// one that had resigned, which should not happen.
func BenchmarkHandover(b *testing.B, env Env) {
	key := "electiontest/" + rand.Text()[:8] + "/handover"
	var candidates [2]*leadership.Candidate
	var told [2]<-chan bool
	ctx, cancel := context.WithCancel(context.Background())
	for i, node := range []string{"a", "b"} {
		kv := env.Open(b)
		b.Cleanup(func() { kv.Close() })
		candidates[i] = leadership.NewCandidate(kv, key, node, time.Second)
		told[i], _ = candidates[i].RunForElection(ctx)
		await(b, told[i], false)
	}
	b.Cleanup(func() {
		cancel()
		for _, ch := range told {
			for range ch {
			}
		}
	})

	leader := elected(b, told)
	var took []time.Duration
	returned := 0
	for b.Loop() {
		began := time.Now()
		candidates[leader].Resign()
		await(b, told[leader], false)
		next := elected(b, told)
		if next == leader {
			returned++
			continue
		}
		took = append(took, time.Since(began))
		leader = next
	}
	b.ReportMetric(float64(returned), "returned")
	if len(took) > 0 {
		slices.Sort(took)
		milliseconds := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
		b.ReportMetric(milliseconds(took[len(took)/2]), "ms-median")
		b.ReportMetric(milliseconds(took[len(took)*99/100]), "ms-p99")
	}
}

// elected returns which of two candidates, neither of which leads, is the first
// to be told that it does.
func elected(b *testing.B, told [2]<-chan bool) int {
	b.Helper()
	select {
	case <-told[0]:
		return 0
	case <-told[1]:
		return 1
	case <-time.After(patience):
		b.Fatal("nobody is elected")
		return 0
	}
}

// await reads the next that a channel says, which has to be want.
func await(b *testing.B, told <-chan bool, want bool) {
	b.Helper()
	select {
	case said := <-told:
		if said != want {
			b.Fatalf("the channel said %v", said)
		}
	case <-time.After(patience):
		b.Fatalf("the channel did not say %v", want)
	}
}

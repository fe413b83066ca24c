package memory_test

import (
	"testing"

	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestElections(t *testing.T) {
	kv := open(t)
	electiontest.Run(t, electiontest.Env{Open: func(testing.TB) store.Store { return unclosed{kv} }})
}

// unclosed is one of the many clients of a store in memory.
type unclosed struct{ *memory.Store }

func (unclosed) Close() error { return nil }

func BenchmarkHandover(b *testing.B) {
	kv := memory.New()
	defer kv.Close()
	electiontest.BenchmarkHandover(b, electiontest.Env{Open: func(testing.TB) store.Store { return unclosed{kv} }})
}

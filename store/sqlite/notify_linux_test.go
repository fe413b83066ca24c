package sqlite_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// TestWriteOfOthersIsToldBeforeThePollInterval: the interval is an hour, and the kernel
// notifies.
func TestWriteOfOthersIsToldBeforeThePollInterval(t *testing.T) {
	writer, reader, _ := opened(t, "?poll=1h")
	pairs := watch(t, reader, key)
	wantNext(t, pairs, "")
	var previous *store.KVPair
	var times []time.Duration
	for i := range 40 {
		value := fmt.Sprint("value ", i)
		began := time.Now()
		previous = put(t, writer, key, value, previous, 0)
		wantNext(t, pairs, value)
		times = append(times, time.Since(began))
	}
	if _, err := writer.AtomicDelete(t.Context(), key, previous); err != nil {
		t.Fatal(err)
	}
	wantNext(t, pairs, "")
	slices.Sort(times)
	t.Logf("told after: median %v, longest %v", times[len(times)/2], times[len(times)-1])
}

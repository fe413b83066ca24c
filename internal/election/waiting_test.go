package election

import (
	"fmt"
	"testing"
)

func TestRecordNamesTheHighestPriorities(t *testing.T) {
	var r Record
	for i := range 2 * maxWaiters {
		r = r.joinList(fmt.Sprint("node-", i), i)
	}
	if len(r.Waiting) != maxWaiters || r.Waiting[0].Priority != 2*maxWaiters-1 || r.Waiting[maxWaiters-1].Priority != maxWaiters {
		t.Errorf("they are %v", r.Waiting)
	}
	if !r.onList("other", maxWaiters) || r.onList("other", maxWaiters+1) || !r.onList("other", 0) {
		t.Error("who need not enter is not told from who has to")
	}
	// A node counts once, with its highest priority, and is gone when it has won.
	if !r.onList("node-15", 14) || r.onList("node-15", 16) {
		t.Error("whose entry will do is not told from whose is too low")
	}
	if r = r.joinList("node-15", 16); len(r.Waiting) != maxWaiters || r.RivalsAhead("other", 13) != 2 || r.RivalsAhead("node-15", 13) != 1 {
		t.Errorf("they are %v", r.Waiting)
	}
	if left := r.dropAhead("node-15", 16); len(left) != maxWaiters-1 {
		t.Errorf("%v are left", left)
	}
}

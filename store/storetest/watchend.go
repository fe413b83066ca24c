package storetest

import (
	"time"

	"github.com/seed-a1d591d3/leadership/internal/goroutines"
)

// promptly is how soon a watch must be closed after its end, and a call must return after
// the end of its context.
const promptly = 100 * time.Millisecond

// watchEnds: most watches are closed in time after their contexts have ended, whether
// they are read or not. A busy machine is sometimes late.
func watchEnds(read bool) func(*trial) {
	return func(tr *trial) {
		kv := tr.client()
		kv.create(tr.base+"/a", "a")
		tr.wantEnd(read, kv.watches(read), func(w *watch) { w.cancel() })
	}
}

// watchClose: they are also closed when their store is closed.
func watchClose(read bool) func(*trial) {
	return func(tr *trial) {
		kv := tr.client()
		kv.create(tr.base+"/a", "a")
		tr.wantEnd(read, kv.watches(read), func(*watch) { kv.Close() })
	}
}

// watches begins watches of existing and of missing keys. If they are not read, they
// always have a pair to deliver.
func (c *client) watches(read bool) []*watch {
	c.tr.Helper()
	watches := make([]*watch, 6)
	for i := range watches {
		watches[i] = c.watch(c.tr.base + []string{"/a", "/none"}[i%2])
		if read {
			watches[i].next()
		}
	}
	time.Sleep(20 * time.Millisecond)
	return watches
}

// wantEnd ends watches and wants most of them to be closed in time.
func (tr *trial) wantEnd(read bool, watches []*watch, end func(*watch)) {
	tr.Helper()
	closed := make(chan time.Duration, len(watches))
	began := time.Now()
	for _, w := range watches {
		if read {
			go func() {
				for range w.pairs {
				}
				closed <- time.Since(began)
			}()
		}
	}
	for _, w := range watches {
		end(w)
	}
	inTime := 0
	if read {
		late := time.After(tr.patience)
		for range watches {
			select {
			case took := <-closed:
				if took <= promptly {
					inTime++
				}
			case <-late:
				tr.Fatalf("a watch was not closed in %v", tr.patience)
			}
		}
	} else {
		time.Sleep(promptly - time.Since(began))
		for _, w := range watches {
			if w.isClosed() {
				inTime++
			}
		}
	}
	if 2*inTime <= len(watches) {
		tr.Errorf("%d of %d watches were closed within %v", inTime, len(watches), promptly)
	}
	if !read {
		tr.wantClosed(watches)
	}
}

// wantClosed wants watches to be closed, even if late.
func (tr *trial) wantClosed(watches []*watch) {
	tr.Helper()
	tr.eventually("all watches are closed", func() error {
		for _, w := range watches {
			if !w.isClosed() {
				return errOpen
			}
		}
		return nil
	})
}

// isClosed reports whether the watch is closed. The channel may still have earlier pairs.
func (w *watch) isClosed() bool {
	for range 100 {
		select {
		case _, open := <-w.pairs:
			if !open {
				return true
			}
		default:
			return false
		}
	}
	return false
}

// watchLeak: watches that have ended leave no goroutine, whether they were read or not.
func watchLeak(tr *trial) {
	kv := tr.client()
	kv.create(tr.base+"/a", "a")
	wantNoLeak(tr, kv.watches)
}

// wantNoLeak wants six watches, of each kind, to leave no goroutine.
func wantNoLeak(tr *trial, begin func(read bool) []*watch) {
	tr.Helper()
	use := func(times int) {
		for range times {
			for _, read := range []bool{true, false} {
				for _, w := range begin(read) {
					w.cancel()
				}
			}
		}
	}
	use(1) // what the client starts once is not a leak
	goroutines.Of(func(count func() int) {
		use(5)
		tr.eventually("the goroutines of 60 watches are gone", func() error {
			// Some connections are made again, and stay with the client.
			if n := count(); n > 15 {
				return leak(n)
			}
			return nil
		})
	})
}

package httpapi

import "sync"

// eventReader is one stream: what waits for it takes room as it comes.
type eventReader struct {
	prefix  string        // of the keys that it is told of
	systems []string      // whose rounds it wants to know of by name
	most    int           // events that may wait
	wake    chan struct{} // says that some do, or that it is dropped

	mu      sync.Mutex
	waiting []event
	bytes   int  // of those
	dropped bool // it is too slow
}

func newEventReader(most int) *eventReader {
	return &eventReader{most: most, wake: make(chan struct{}, 1)}
}

// add has an event wait for the reader, or drops it where too many do.
func (r *eventReader) add(e event) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dropped = r.dropped || len(r.waiting) >= r.most || r.bytes+len(e.line) > waitingBytes; r.dropped {
		r.waiting = nil
	} else {
		r.waiting, r.bytes = append(r.waiting, e), r.bytes+len(e.line)
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
	return !r.dropped
}

// take returns what waits, and false where the reader is dropped.
func (r *eventReader) take() ([]event, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.waiting
	r.waiting, r.bytes = nil, 0
	return all, !r.dropped
}

func (r *eventReader) isDropped() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dropped
}

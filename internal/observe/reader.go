package observe

import "sync"

// Reader is one stream of events. Its methods are safe for concurrent use.
type Reader struct {
	own     *election     // whose events it reads, or nil: those of all
	past    []Event       // what it gets first
	prefix  string        // of the keys whose events it gets
	systems []string      // whose rounds it asks for
	most    int           // events that may wait
	wake    chan struct{} // there are events, or the reader is dropped

	mu      sync.Mutex
	waiting []Event
	bytes   int  // of those
	dropped bool // it is too slow
}

func newReader(most int) *Reader {
	return &Reader{most: most, wake: make(chan struct{}, 1)}
}

// Past returns the first events for the reader: those that it has missed, or else the
// state of the elections that it reads.
func (r *Reader) Past() []Event { return r.past }

// Wake returns a channel that receives when Next has something to return.
func (r *Reader) Wake() <-chan struct{} { return r.wake }

// Next returns the events since the last call, and false when the reader was too slow:
// there are no events any more. It does not block.
func (r *Reader) Next() ([]Event, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.waiting
	r.waiting, r.bytes = nil, 0
	return all, !r.dropped
}

// add adds an event to those that wait for the reader. It returns false when there
// are too many: the reader is dropped.
func (r *Reader) add(e Event) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dropped = r.dropped || len(r.waiting) >= r.most || r.bytes+len(e.Line) > waitingBytes; r.dropped {
		r.waiting = nil
	} else {
		r.waiting, r.bytes = append(r.waiting, e), r.bytes+len(e.Line)
	}
	signal(r.wake)
	return !r.dropped
}

func (r *Reader) isDropped() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dropped
}

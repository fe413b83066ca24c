package observe

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// MaxReaders is how many readers an observer has at once, at most.
	MaxReaders = 1024

	// maxUnobserved is how many elections besides those that are observed are watched
	// for readers of their events, at most.
	maxUnobserved = 256
)

// helloView is the first event of a stream of all elections.
type helloView struct {
	Type   string    `json:"type"`
	Now    time.Time `json:"now"` // by this server's clock
	Prefix string    `json:"prefix"`
	Write  bool      `json:"may_write"`         // the reader may ask something of the elections
	Resume bool      `json:"resumed,omitempty"` // what comes is what was missed, not everything
	state
	About
}

// Read adds a reader of the events of one election. after is the id of the last event
// that it has had, or empty. It returns an error when there are too many readers. Call
// Leave when it has gone.
func (o *Observer) Read(key, after string) (*Reader, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byKey[key] == nil {
		if err := o.room(); err != nil {
			return nil, err
		}
	}
	if err := o.enter(); err != nil {
		return nil, err
	}
	e := o.watch(key)
	e.idle = time.Time{}
	r := newReader(readerBuffer)
	r.own = e
	e.feed.readers[r] = true
	o.turn()
	missed, known := e.feed.after(after)
	if r.past = missed; !known {
		r.past = slices.Clone(e.feed.past[max(len(e.feed.past)-1, 0):])
	}
	return r, nil
}

// ReadAll adds a reader of the elections below a prefix that are observed, and of the
// rounds of some systems, MaxNamed at most, besides those that all readers get. after
// is as in Read, as are the errors; mayWrite is passed on to the reader.
func (o *Observer) ReadAll(prefix string, systems []string, after string, mayWrite bool) (*Reader, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.enter(); err != nil {
		return nil, err
	}
	r := newReader(allBuffer)
	r.prefix, r.systems = prefix, systems
	o.all.readers[r] = true
	o.turn()
	// Until the list that is under way has ended, that there are none would not be true.
	o.state.Listing = !o.listed && o.state.Error == ""
	now := time.Now()
	missed, known := o.all.after(after)
	r.past = []Event{encode("", helloView{"hello", now, o.Prefix, mayWrite, known, o.state, o.About})}
	if known {
		for _, e := range missed {
			if strings.HasPrefix(e.key, prefix) {
				r.past = append(r.past, e)
			}
		}
	} else {
		for _, e := range o.byKey {
			if e.observed && e.history.known && strings.HasPrefix(e.key, prefix) {
				r.past = append(r.past, e.event(now))
			}
		}
		slices.SortFunc(r.past[1:], func(a, b Event) int { return strings.Compare(a.key, b.key) })
	}
	// A reader who comes back has missed what came after this.
	ready := encode("", map[string]string{"type": "ready"})
	ready.ID = o.all.latest()
	r.past = append(append(r.past, ready), o.rounds.join(r)...)
	signal(o.wake)
	signal(o.wakeRounds)
	return r, nil
}

// Leave removes a reader.
func (o *Observer) Leave(r *Reader) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.readers--
	if r.own != nil {
		if delete(r.own.feed.readers, r); len(r.own.feed.readers) == 0 {
			r.own.idle = time.Now()
		}
	} else {
		delete(o.all.readers, r)
		o.rounds.leave(r)
		o.keep(Linger)
	}
	o.turn()
}

// enter counts a reader, if there is room for it. It is called with mu held.
func (o *Observer) enter() error {
	if o.readers >= MaxReaders {
		return fmt.Errorf("there are %d streams already", o.readers)
	}
	o.readers++
	return nil
}

// room makes room to watch one more election for its readers: elections without a
// reader give way, the longest idle first. It is called with mu held.
func (o *Observer) room() error {
	var unobserved int
	var idle []*election
	for _, e := range o.byKey {
		if e.observed {
			continue
		}
		unobserved++
		if len(e.feed.readers) == 0 {
			idle = append(idle, e)
		}
	}
	slices.SortFunc(idle, func(a, b *election) int { return a.idle.Compare(b.idle) })
	for _, e := range idle[:min(len(idle), max(unobserved-maxUnobserved+1, 0))] {
		o.evict(e)
		unobserved--
	}
	if unobserved >= maxUnobserved {
		return fmt.Errorf("%d elections have readers already", unobserved)
	}
	return nil
}

// watch returns the election of a key, which is watched from now on. It is called with
// mu held.
func (o *Observer) watch(key string) *election {
	e := o.byKey[key]
	if e == nil {
		e = &election{of: o, key: key, feed: newFeed(feedBytes), evicted: make(chan struct{})}
		o.byKey[key] = e
		if !o.closed {
			o.running.Go(func() { e.run(o.ctx) })
		}
	}
	return e
}

// evict ends the watching of an election. It is called with mu held.
func (o *Observer) evict(e *election) {
	delete(o.byKey, e.key)
	close(e.evicted)
}

// send sends an event to the readers of all elections. It is called with mu held.
func (o *Observer) send(e Event, keep bool) {
	if keep {
		e = o.all.keep(e)
	}
	o.dropped += o.all.send(e)
}

// turn makes each election that is watched check whether it has readers. It is called
// with mu held.
func (o *Observer) turn() {
	close(o.turned)
	o.turned = make(chan struct{})
}

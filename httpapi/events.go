package httpapi

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	// maxStreams is how many streams of events a handler serves at once.
	maxStreams = 1024

	// heartbeat is how often a stream says something, though nothing happens.
	heartbeat = 15 * time.Second
)

// DroppedReaders returns how many streams of events were ended because their
// readers were too slow.
func (h *Handler) DroppedReaders() uint64 { return h.dropped.Load() }

// events streams the events of one election.
func (h *Handler) events(c *call) error {
	key := c.key()
	if c.err != nil {
		return c.err
	}
	// An error of the store, or of the key, is answered at once.
	ctx, cancel := h.storing(c)
	defer cancel()
	if _, err := h.looks.election(ctx, key); err != nil {
		return err
	}
	f, reader, past, err := h.observer.join(key, c.r.Header.Get("Last-Event-ID"))
	if err != nil {
		return err
	}
	defer h.observer.leave(f, reader)
	h.stream(c, past, reader)
	return nil
}

// join adds a reader to the feed of an election, which is watched from then on if
// it was not. past is what the reader is to be told first: what came after the
// event that it names, or the latest.
func (o *observer) join(key, after string) (f *feed, r *eventReader, past []event, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byKey[key] == nil {
		if err := o.room(); err != nil {
			return nil, nil, nil, err
		}
	}
	if err := o.enter(); err != nil {
		return nil, nil, nil, err
	}
	watched := o.watch(key)
	watched.idle = 0
	f = &watched.feed
	r = newEventReader(readerBuffer)
	f.readers[r] = true
	o.turn()
	past, known := f.after(after)
	if !known {
		past = slices.Clone(f.past[max(len(f.past)-1, 0):])
	}
	return f, r, past, nil
}

// helloView is the first event of a stream of all elections.
type helloView struct {
	Type   string    `json:"type"`
	Now    time.Time `json:"now"` // by this server's clock
	Prefix string    `json:"prefix"`
	Write  bool      `json:"may_write"`         // the reader may ask something of the elections
	Resume bool      `json:"resumed,omitempty"` // what comes is what was missed, and not all of it
	Error  string    `json:"error,omitempty"`   // as a state tells it
	More   bool      `json:"more,omitempty"`
}

// allEvents streams the events of all elections below a prefix, and of rounds.
func (h *Handler) allEvents(c *call) error {
	prefix := c.prefix()
	systems := slices.Compact(slices.Sorted(slices.Values(c.all("system"))))
	if len(systems) > namedByOne {
		c.fail(refuse(http.StatusBadRequest, "%d systems are named: must be at most %d", len(systems), namedByOne))
	}
	for _, system := range systems {
		c.fail(checkName("system", system))
	}
	if !h.observe {
		c.fail(refuse(http.StatusNotFound, "this server does not observe elections"))
	}
	if c.err != nil {
		return c.err
	}
	h.observer.attend(c.r.Context(), watchLinger*watchTick)
	reader, past, err := h.observer.joinAll(prefix, systems, c.r.Header.Get("Last-Event-ID"), h.mayWrite(c.r))
	if err != nil {
		return err
	}
	defer h.observer.leave(&h.observer.all, reader)
	h.stream(c, past, reader)
	return nil
}

// joinAll adds a reader to the feeds of all elections and of rounds. past is what it
// is to be told first: what it has missed, or else how all of them stand.
func (o *observer) joinAll(prefix string, systems []string, after string, mayWrite bool) (r *eventReader, past []event, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.enter(); err != nil {
		return nil, nil, err
	}
	r = newEventReader(allBuffer)
	r.prefix, r.systems = prefix, systems
	o.all.readers[r] = true
	o.turn()
	if !o.looked && o.state.Error == "" {
		o.state.Error = stillListing // until the pass that is under way has ended
	}
	now := time.Now()
	missed, known := o.all.after(after)
	past = []event{encode("", helloView{"hello", now, o.h.prefix, mayWrite, known, o.state.Error, o.state.More})}
	if known {
		for _, e := range missed {
			if strings.HasPrefix(e.key, prefix) {
				past = append(past, e)
			}
		}
	} else {
		for _, w := range o.byKey {
			if w.listed && w.tally.known && strings.HasPrefix(w.key, prefix) {
				past = append(past, w.event(now))
			}
		}
		slices.SortFunc(past[1:], func(a, b event) int { return strings.Compare(a.key, b.key) })
	}
	// Whoever comes back has missed what came after this.
	ready := encode("", map[string]string{"type": "ready"})
	ready.id = o.all.latest()
	past = append(append(past, ready), o.rounds.join(r)...)
	signal(o.wake)
	signal(o.wakeRounds)
	return r, past, nil
}

// stream sends a reader what is past, and then what comes, until one of the two
// ends.
func (h *Handler) stream(c *call, past []event, reader *eventReader) {
	ctx, cancel := h.while(c)
	defer cancel()
	w := c.w
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would hold events back
	w.WriteHeader(http.StatusOK)
	out := http.NewResponseController(w)
	send := func(text string) bool {
		_ = out.SetWriteDeadline(time.Now().Add(bodyTimeout)) // not every connection can
		_, err := w.Write([]byte(text))
		if err == nil {
			err = out.Flush()
		}
		if err != nil && ctx.Err() == nil {
			h.dropped.Add(1)
		}
		return err == nil
	}
	var first strings.Builder
	first.WriteString("retry: 1000\n\n")
	for _, e := range past {
		first.WriteString(e.text())
	}
	if !send(first.String()) {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-reader.wake:
			waiting, ok := reader.take()
			for _, e := range waiting {
				if ctx.Err() != nil || !send(e.text()) {
					return
				}
			}
			if !ok {
				return
			}
		case <-beat.C:
			if !send(": still here\n\n") {
				return
			}
		}
	}
}

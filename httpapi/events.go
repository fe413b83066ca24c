package httpapi

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/observe"
)

// heartbeat is how often a stream sends a comment, though there are no events.
const heartbeat = 15 * time.Second

// DroppedReaders returns how many streams of events were ended because their
// readers were too slow.
func (h *Handler) DroppedReaders() uint64 { return h.dropped.Load() + h.observer.Dropped() }

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
	reader, err := h.observer.Read(key, c.r.Header.Get("Last-Event-ID"))
	return h.stream(c, reader, err)
}

// allEvents streams the events of all elections below a prefix, and of rounds.
func (h *Handler) allEvents(c *call) error {
	prefix := c.prefix()
	systems := slices.Compact(slices.Sorted(slices.Values(c.all("system"))))
	if len(systems) > observe.MaxNamed {
		c.fail(refuse(http.StatusBadRequest, "%d systems are named: must be at most %d", len(systems), observe.MaxNamed))
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
	h.observer.ObserveFor(c.r.Context(), observe.Linger)
	reader, err := h.observer.ReadAll(prefix, systems, c.r.Header.Get("Last-Event-ID"), h.mayWrite(c.r))
	return h.stream(c, reader, err)
}

// stream sends events to a client, those of the past first, until it or the reader
// ends. err means that there is no room for a reader.
func (h *Handler) stream(c *call, reader *observe.Reader, err error) error {
	if err != nil {
		return problem{status: http.StatusServiceUnavailable, reason: err.Error()}
	}
	defer h.observer.Leave(reader)
	ctx, cancel := h.while(c)
	defer cancel()
	c.w.Header().Set("Content-Type", "text/event-stream")
	c.w.Header().Set("X-Accel-Buffering", "no") // nginx would hold events back
	c.w.WriteHeader(http.StatusOK)
	out := http.NewResponseController(c.w)
	send := func(text string) bool {
		_ = out.SetWriteDeadline(time.Now().Add(bodyTimeout)) // not every connection can
		_, err := c.w.Write([]byte(text))
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
	for _, e := range reader.Past() {
		first.WriteString(eventText(e))
	}
	if !send(first.String()) {
		return nil
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-reader.Wake():
			events, ok := reader.Next()
			for _, e := range events {
				if ctx.Err() != nil || !send(eventText(e)) {
					return nil
				}
			}
			if !ok {
				return nil
			}
		case <-beat.C:
			if !send(": still here\n\n") {
				return nil
			}
		}
	}
}

// eventText is an event as a stream carries it.
func eventText(e observe.Event) string {
	if e.ID == "" {
		return fmt.Sprintf("data: %s\n\n", e.Line)
	}
	return fmt.Sprintf("id: %s\ndata: %s\n\n", e.ID, e.Line)
}

package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership"
)

const (
	// maxStreams is how many streams of events a handler serves at once.
	maxStreams = 1024

	// heartbeat is how often a stream says something, though nothing happens.
	heartbeat = 15 * time.Second

	// feedTick is how often a feed looks at its election, though its follower
	// hears nothing: of requests, and of leaders that have gone silent.
	feedTick = time.Second

	// feedLinger is for how many ticks a feed goes on without readers, so that
	// whoever was cut off misses nothing.
	feedLinger = 15

	// feedMemory is how many events a feed remembers, for those who come back.
	feedMemory = 256

	// readerBuffer is how many events wait for a reader before it is dropped.
	readerBuffer = 64
)

// event is a change of an election.
type event struct {
	id   string
	line []byte // one line of JSON
}

// eventView is an event in JSON.
type eventView struct {
	// Type is "leader" where somebody leads, "expired" where the leader has not
	// renewed its term in time, and "vacant" where the seat is empty.
	Type string `json:"type"`
	electionView
}

// feed tells all readers of one election's events of them.
type feed struct {
	feeds   *feeds
	key     string
	epoch   string // tells its ids from those of other feeds
	seq     uint64
	past    []event // the latest last
	readers map[*eventReader]bool
	idle    int // ticks without a reader
}

// eventReader is one stream.
type eventReader struct {
	events chan event // closed when the reader is too slow
}

// feeds are the feeds of a handler. All of it, and of its feeds, is guarded by
// mu.
type feeds struct {
	desk *desk

	mu      sync.Mutex
	byKey   map[string]*feed
	streams int
}

// DroppedReaders returns how many streams of events were ended because their
// readers were too slow.
func (h *Handler) DroppedReaders() uint64 { return h.dropped.Load() }

// events returns the route of event streams.
func (h *Handler) events(d *desk) func(http.ResponseWriter, *http.Request) error {
	f := &feeds{desk: d, byKey: make(map[string]*feed)}
	return f.serve
}

// join adds a reader to the feed of a key, which begins with it if there is
// none. past is what the reader is to be told first: what came after the event
// that it names, or the latest.
func (f *feeds) join(key, after string) (feed *feed, reader *eventReader, past []event, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.streams >= maxStreams {
		return nil, nil, nil, refuse(http.StatusServiceUnavailable, "there are %d streams already", f.streams)
	}
	feed = f.byKey[key]
	if feed == nil {
		feed = f.begin(key)
	}
	f.streams++
	reader = &eventReader{make(chan event, readerBuffer)}
	feed.readers[reader], feed.idle = true, 0
	past = feed.past[max(len(feed.past)-1, 0):]
	if i := slices.IndexFunc(feed.past, func(e event) bool { return e.id == after }); i >= 0 {
		past = feed.past[i+1:]
	}
	return feed, reader, slices.Clone(past), nil
}

// leave takes a reader from its feed.
func (f *feeds) leave(feed *feed, r *eventReader) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.streams--
	delete(feed.readers, r)
}

// begin starts a feed. It is called with mu held.
func (f *feeds) begin(key string) *feed {
	feed := &feed{feeds: f, key: key, epoch: rand.Text()[:8], readers: make(map[*eventReader]bool)}
	f.byKey[key] = feed
	f.desk.h.own(feed.run)
	return feed
}

// run looks at the election whenever something may have changed, until nobody
// has read for a while.
func (f *feed) run(ctx context.Context) {
	hints := make(chan struct{}, 1)
	follower := leadership.NewFollower(f.feeds.desk.h.kv, f.key, leadership.WithCallbacks(leadership.Callbacks{
		OnLeaderChange: func(leadership.Term) {
			select {
			case hints <- struct{}{}:
			default:
			}
		},
	}))
	ctx, cancel := context.WithCancel(ctx)
	leaders, errs := follower.FollowElection(ctx)
	defer func() {
		cancel()
		for range leaders { // until it has ended
		}
		for range errs {
		}
	}()
	tick := time.NewTicker(feedTick)
	defer tick.Stop()
	var last []byte
	for {
		v, err := f.feeds.desk.standing(ctx, f.key)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			f.feeds.desk.h.log.Warn("httpapi: events", "key", f.key, "error", err)
		default:
			last = f.tell(v, last)
		}
		select {
		case <-ctx.Done():
			return
		case <-hints:
		case <-tick.C:
			if f.ends() {
				return
			}
		}
	}
}

// tell tells the readers how the election stands, if that is not what they know.
func (f *feed) tell(v electionView, last []byte) []byte {
	e := eventView{Type: "leader", electionView: v}
	switch {
	case v.Leader == "":
		e.Type = "vacant"
	case v.Expired:
		e.Type = "expired"
	}
	e.FreeIn = 0 // another at each look
	line, err := json.Marshal(e)
	if err != nil || slices.Equal(line, last) {
		return last
	}
	f.feeds.mu.Lock()
	defer f.feeds.mu.Unlock()
	f.seq++
	next := event{f.epoch + "-" + strconv.FormatUint(f.seq, 10), line}
	f.past = append(f.past[max(len(f.past)-feedMemory+1, 0):], next)
	for r := range f.readers {
		select {
		case r.events <- next:
		default:
			delete(f.readers, r)
			close(r.events)
			f.feeds.desk.h.dropped.Add(1)
		}
	}
	return line
}

// ends says whether nobody has read for a while; then the feed is no more.
func (f *feed) ends() bool {
	f.feeds.mu.Lock()
	defer f.feeds.mu.Unlock()
	if len(f.readers) > 0 {
		return false
	}
	if f.idle++; f.idle < feedLinger {
		return false
	}
	delete(f.feeds.byKey, f.key)
	return true
}

// serve streams the events of an election.
func (f *feeds) serve(w http.ResponseWriter, r *http.Request) error {
	key, err := election(r)
	if err != nil {
		return err
	}
	// A store that fails, or a key that holds something else, is told at once.
	if _, err := f.desk.standing(r.Context(), key); err != nil {
		return err
	}
	feed, reader, past, err := f.join(key, r.Header.Get("Last-Event-ID"))
	if err != nil {
		return err
	}
	defer f.leave(feed, reader)
	ctx, cancel := f.desk.h.while(r)
	defer cancel()

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
			f.desk.h.dropped.Add(1)
		}
		return err == nil
	}
	var first strings.Builder
	first.WriteString("retry: 1000\n\n")
	for _, e := range past {
		first.WriteString(e.text())
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
		case e, ok := <-reader.events:
			if !ok || !send(e.text()) {
				return nil
			}
		case <-beat.C:
			if !send(": still here\n\n") {
				return nil
			}
		}
	}
}

// text is the event as a stream carries it.
func (e event) text() string { return fmt.Sprintf("id: %s\ndata: %s\n\n", e.id, e.line) }

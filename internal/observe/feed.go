package observe

import (
	"crypto/rand"
	"slices"
	"strconv"
	"strings"
)

const (
	// feedMemory is how many events a feed remembers, for readers who come back;
	// feedBytes and allBytes are how many bytes, of one election and of all.
	feedMemory          = 256
	feedBytes, allBytes = 64 << 10, 2 << 20

	// maxPayload is how many bytes a payload may have in events.
	maxPayload = 4 << 10

	// A reader of one election is dropped when more than readerBuffer events wait
	// for it, a reader of all when more than allBuffer do, and each when they have more
	// than waitingBytes.
	readerBuffer, allBuffer = 64, 2 * maxObserved
	waitingBytes            = 16 << 20
)

// Event is an event for readers.
type Event struct {
	ID   string // empty unless it is kept for those who come back
	Line []byte // one line of JSON

	key    string // of the election that it is about, or empty
	system string // unless it is empty, only readers who have named it get the event
}

// feed sends events to its readers. Its owner guards it.
type feed struct {
	epoch   string // tells its ids from those of other feeds
	seq     uint64
	past    []Event // the latest last
	bytes   int     // of past
	most    int     // bytes
	readers map[*Reader]bool
}

func newFeed(most int) feed {
	return feed{epoch: rand.Text()[:8], most: most, readers: make(map[*Reader]bool)}
}

// keep gives an event an id, and remembers it.
func (f *feed) keep(e Event) Event {
	f.seq++
	e.ID = f.epoch + "-" + strconv.FormatUint(f.seq, 10)
	f.past = append(f.past, e)
	f.bytes += len(e.Line)
	for len(f.past) > feedMemory || f.bytes > f.most && len(f.past) > 1 {
		f.bytes -= len(f.past[0].Line)
		f.past[0] = Event{} // lets go of its line
		f.past = f.past[1:]
	}
	return e
}

// latest is the id of the Event that was kept last.
func (f *feed) latest() string {
	if len(f.past) == 0 {
		return f.epoch + "-0"
	}
	return f.past[len(f.past)-1].ID
}

// send sends an event to the readers, without waiting for them. It returns how many were
// too slow, and are dropped.
func (f *feed) send(e Event) (dropped uint64) {
	for r := range f.readers {
		if !strings.HasPrefix(e.key, r.prefix) && e.key != "" {
			continue
		}
		if e.system != "" && !slices.Contains(r.systems, e.system) {
			continue
		}
		if r.isDropped() { // by another feed
			delete(f.readers, r)
			continue
		}
		if !r.add(e) {
			delete(f.readers, r)
			dropped++
		}
	}
	return dropped
}

// after returns the Events that came after the one of that id, and whether that
// is remembered.
func (f *feed) after(id string) ([]Event, bool) {
	i := slices.IndexFunc(f.past, func(e Event) bool { return e.ID == id })
	if i < 0 && (f.seq > uint64(len(f.past)) || id != f.epoch+"-0") {
		return nil, false
	}
	return slices.Clone(f.past[i+1:]), true
}

package httpapi

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	// feedMemory is how many events a feed remembers, for those who come back, and
	// feedBytes and allBytes of how many bytes, in that of one election and that of all.
	feedMemory          = 256
	feedBytes, allBytes = 64 << 10, 2 << 20

	// maxTold is how many bytes of a payload events tell.
	maxTold = 4 << 10

	// readerBuffer is how many events wait for a reader of one election before
	// it is dropped, and allBuffer for a reader of all.
	readerBuffer, allBuffer = 64, 4096

	// waitingBytes is of how many bytes those may be.
	waitingBytes = 4 << 20
)

// event is something that readers are told.
type event struct {
	id   string // empty where it is not kept for those who come back
	key  string // of the election that it is about, or empty
	line []byte // one line of JSON

	system string // which readers have to have named to be told, or empty
}

// text is the event as a stream carries it.
func (e event) text() string {
	if e.id == "" {
		return fmt.Sprintf("data: %s\n\n", e.line)
	}
	return fmt.Sprintf("id: %s\ndata: %s\n\n", e.id, e.line)
}

// feed tells its readers of events. It is guarded by its owner.
type feed struct {
	epoch   string // tells its ids from those of other feeds
	seq     uint64
	past    []event // the latest last
	bytes   int     // of past
	most    int     // bytes
	readers map[*eventReader]bool
}

func newFeed(most int) feed {
	return feed{epoch: rand.Text()[:8], most: most, readers: make(map[*eventReader]bool)}
}

// keep gives an event an id, and remembers it.
func (f *feed) keep(e event) event {
	f.seq++
	e.id = f.epoch + "-" + strconv.FormatUint(f.seq, 10)
	f.past = append(f.past, e)
	f.bytes += len(e.line)
	for len(f.past) > feedMemory || f.bytes > f.most && len(f.past) > 1 {
		f.bytes -= len(f.past[0].line)
		f.past[0] = event{} // lets go of its line
		f.past = f.past[1:]
	}
	return e
}

// latest is the id of the event that was kept last.
func (f *feed) latest() string {
	if len(f.past) == 0 {
		return f.epoch + "-0"
	}
	return f.past[len(f.past)-1].id
}

// tell tells the readers, without waiting for them, and returns how many were too
// slow and are dropped.
func (f *feed) tell(e event) (dropped uint64) {
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

// after returns the events that came after the one of that id, and whether that
// is remembered.
func (f *feed) after(id string) ([]event, bool) {
	i := slices.IndexFunc(f.past, func(e event) bool { return e.id == id })
	if i < 0 && (f.seq > uint64(len(f.past)) || id != f.epoch+"-0") {
		return nil, false
	}
	return slices.Clone(f.past[i+1:]), true
}

package observe

import (
	"slices"
	"testing"
)

// line is as long as any event here.
var line = make([]byte, 1<<20)

// FuzzResume sends events of many sizes to a feed, with readers that go and come back:
// each that comes back gets all that it has missed, in order, once; or it is told that this
// is not known, and then something of it is forgotten, or it has made its id up.
func FuzzResume(f *testing.F) {
	f.Fuzz(func(t *testing.T, sizes []byte, at uint16, made string) {
		if len(sizes) > 2000 {
			return
		}
		feed := newFeed(feedBytes)
		var all []Event
		ids := []string{feed.latest()} // of readers who have had so many events
		for _, size := range sizes {
			e := feed.keep(Event{Line: line[:int(size)*100]})
			all, ids = append(all, e), append(ids, feed.latest())
			if feed.latest() != e.ID {
				t.Fatalf("the latest is %s, after %s", feed.latest(), e.ID)
			}
		}
		if len(slices.Compact(slices.Sorted(slices.Values(ids)))) != len(ids) {
			t.Fatal("an id twice")
		}
		total := 0
		for _, e := range feed.past {
			total += len(e.Line)
		}
		if total != feed.bytes || len(feed.past) > feedMemory || total > feedBytes && len(feed.past) > 1 {
			t.Errorf("it keeps %d events of %d bytes, and counts %d", len(feed.past), total, feed.bytes)
		}
		had := int(at) % len(ids)
		missed, known := feed.after(ids[had])
		want := all[had:]
		// The event itself is remembered, or nothing was forgotten.
		if remembered := len(all)-had < len(feed.past) || len(feed.past) == len(all); known != remembered {
			t.Errorf("after %d of %d, of which %d are kept: known %v", had, len(all), len(feed.past), known)
		}
		same := func(a, b Event) bool { return a.ID == b.ID && len(a.Line) == len(b.Line) }
		if known && !slices.EqualFunc(missed, want, same) {
			t.Errorf("after %d of %d it gets %d", had, len(all), len(missed))
		}
		if events, known := feed.after(made); known && !slices.Contains(ids, made) {
			t.Errorf("after %q, which is no id, it gets %d", made, len(events))
		}
	})
}

// FuzzReader: what a reader takes, whenever it does, is what was sent to it, in order and
// once, until it is dropped; then it gets nothing any more.
func FuzzReader(f *testing.F) {
	f.Fuzz(func(t *testing.T, steps []byte, prefix string) {
		feed := newFeed(feedBytes)
		r := newReader(readerBuffer)
		r.prefix = prefix
		feed.readers[r] = true
		var sent, got []Event
		dropped := false
		if len(steps) > 1000 {
			return
		}
		for i, step := range steps {
			if step%8 == 0 {
				events, ok := r.Next()
				if ok == dropped || dropped && len(events) > 0 {
					t.Fatalf("dropped %v, and it gets %d, %v", dropped, len(events), ok)
				}
				got = append(got, events...)
				continue
			}
			e := feed.keep(Event{key: prefix + string(rune('a'+i%3)), Line: line[:int(step)<<(step%13)]})
			waiting, bytes := sent[len(got):], len(e.Line)
			for _, w := range waiting {
				bytes += len(w.Line)
			}
			lost := feed.send(e) == 1
			if want := !dropped && (len(waiting) >= readerBuffer || bytes > waitingBytes); lost != want {
				t.Fatalf("lost %v, with %d waiting, and %d bytes", lost, len(waiting), bytes)
			}
			if dropped = dropped || lost; !dropped {
				sent = append(sent, e)
			}
		}
		if !dropped {
			events, _ := r.Next()
			got = append(got, events...)
		}
		if !slices.EqualFunc(got, sent[:len(got)], func(a, b Event) bool { return a.ID == b.ID }) || !dropped && len(got) != len(sent) {
			t.Errorf("of %d it gets %d", len(sent), len(got))
		}
	})
}

package election

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/format"
	"github.com/seed-a1d591d3/leadership/internal/fuzzing"
	"github.com/seed-a1d591d3/leadership/store"
)

// FuzzRecord: what is accepted, as a record of an election or of a session, is what Encode
// writes, and nothing is lost or added when it is written again; what follows it by the law is
// accepted, too; and what is refused is not shown.
func FuzzRecord(f *testing.F) {
	f.Fuzz(func(t *testing.T, value []byte, beat uint64, node string, by []byte) {
		rec, err := Parse(value)
		session, errSession := ParseSession(value)
		for _, err := range []error{err, errSession} {
			if err != nil && fuzzing.Shows(err, string(value)) {
				t.Errorf("the error shows what is stored: %v", err)
			}
		}
		switch {
		case err == nil && errSession == nil:
			t.Fatalf("%s is a record of an election, and of a session", value)
		case err == nil:
			follows(t, value, rec, Parse, beat, node, by)
		case errSession == nil:
			follows(t, value, session, ParseSession, beat, node, by)
		}
	})
}

// follows checks a record that was accepted, and what follows it.
func follows(t *testing.T, value []byte, rec Record, parse func([]byte) (Record, error), beat uint64, node string, by []byte) {
	again := rec.Encode()
	if !fuzzing.SameJSON(value, again) {
		t.Fatalf("%s is written as %s", value, again)
	}
	if rec.Held() == (rec.Leader == "") || rec.Held() && rec.TTL() <= 0 || !rec.Held() && (rec.TTL() != 0 || rec.Payload != nil || rec.Session != "") {
		t.Errorf("%+v is half a term", rec)
	}
	next := []Record{rec.joinList("w", int(beat%100))}
	if rec.Held() {
		next = append(next, rec.Renewed(NextBeat(rec.Beat, uint32(beat))))
		for _, why := range []Reason{Resigned, Expired, Evicted, Unhealthy, Relinquished, Transferred} {
			next = append(next, rec.Vacated(NextBeat(rec.Beat, uint32(beat)), why))
		}
	}
	// Names are checked before the law gets them.
	if rec.Followed() == nil && valid(node) {
		c := Claimant{Node: node, Instance: "i", Priority: 3, TTL: time.Second, Payload: by}
		if c.Format = rec.Header; rec.Kind == Format.Kind && beat%2 == 0 {
			c.Session = node
		}
		token := NextToken(rec.Token, time.UnixMilli(int64(beat>>20)))
		if token <= rec.Token {
			t.Errorf("token %d after %d", token, rec.Token)
		}
		next = append(next, c.Take(rec, token, NextBeat(rec.Beat, uint32(beat)), rec.Last, time.UnixMilli(int64(beat>>20))))
	}
	for _, n := range next {
		if got, err := parse(n.Encode()); err != nil || !bytes.Equal(got.Encode(), n.Encode()) {
			t.Errorf("%s follows %s, and is read as %s: %v", n.Encode(), value, got.Encode(), err)
		}
	}
	// What ends a session is the record of one.
	ends := Record{Leader: rec.Leader, Session: "s", Ride: new(Ride)}
	if rec.Kind == Sessions.Kind && rec.Held() {
		ends.Ride = &Ride{Pair: &store.KVPair{Value: value}, Rec: rec}
	}
	end := ends.EndSession(NextBeat(rec.Beat, uint32(beat)))
	if got, err := ParseSession(end.Encode()); err != nil || got.Held() || !bytes.Equal(got.Encode(), end.Encode()) {
		t.Errorf("%s ends the session of %s, and is read as %s: %v", end.Encode(), value, got.Encode(), err)
	}
}

// FuzzNameSession: a record names the session that it rides on, wherever the two are.
func FuzzNameSession(f *testing.F) {
	f.Add("a/b", "a/sessions/r", "p/")
	f.Add("/", "//", "")
	f.Add("a/../b", "x", "q/r/")
	f.Fuzz(func(t *testing.T, key, session, prefix string) {
		parts := strings.Split(session, "/")
		if slices.Contains(parts, "..") || parts[len(parts)-1] == "" || prefix != "" && !strings.HasSuffix(prefix, "/") {
			return // NewSession refuses them
		}
		name := NameSession(key, session)
		if got, err := (Record{Session: name}).SessionKey(prefix + key); err != nil || got != prefix+session {
			t.Errorf("%q names %q %q, which is %q: %v", prefix+key, prefix+session, name, got, err)
		}
	})
}

func valid(node string) bool {
	text, err := format.Marshal(node)
	return err == nil && node != "" && !bytes.Contains(text, []byte(`\ufffd`))
}

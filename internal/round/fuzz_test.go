package round

import (
	"bytes"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/fuzzing"
	"github.com/seed-a1d591d3/leadership/store"
)

// FuzzRecord: what is accepted is what Encode writes, and nothing is lost or added when it
// is written again; and what is refused is not shown.
func FuzzRecord(f *testing.F) {
	f.Fuzz(func(t *testing.T, value []byte) {
		rec, err := Parse(value)
		if err != nil {
			if fuzzing.Shows(err, string(value)) {
				t.Errorf("the error shows what is stored: %v", err)
			}
			return
		}
		if again, err := rec.Encode(); err != nil || !fuzzing.SameJSON(value, again) {
			t.Fatalf("%s is written as %s: %v", value, again, err)
		}
	})
}

// FuzzLaw: whatever record is found, what a claimant writes is accepted; it takes away no
// win that is for ever, completed, or not yet silent for its TTL; and none loses its number.
func FuzzLaw(f *testing.F) {
	f.Fuzz(func(t *testing.T, value []byte, node, instance string, ttl, waited uint32, result []byte) {
		rec, err := Parse(value)
		if err != nil || node == "" || !utf8.ValidString(node+instance) {
			return
		}
		c := Claimant{Node: node, Instance: instance, TTL: time.Duration(ttl) * time.Millisecond}
		v := View{}
		v.See(&store.KVPair{Value: value, LastIndex: 1}, rec, 0)
		now := clock.Instant{Mono: time.Duration(waited) * time.Millisecond, Wall: time.Unix(1, 0).Add(time.Duration(waited) * time.Millisecond).UnixNano()}
		next, writes, err := c.Next(v, now, nil, "m")
		switch {
		case err != nil || !writes:
		case c.Won(rec) && rec.Completed != nil:
			t.Errorf("%+v is written over %s, which is completed", next, value)
		case !c.Won(rec) && (!rec.Held() || rec.Completed != nil || now.Mono < rec.TTL()):
			t.Errorf("after %v %+v is written over %s", now.Mono, next, value)
		case !c.Won(rec) && (next.Order() != rec.Order()+1 || !c.Won(next)):
			t.Errorf("%+v is written over %s", next, value)
		case c.Won(rec) && next.Order() != rec.Order():
			t.Errorf("%+v renews %s", next, value)
		}
		written := []Record{next}
		if !writes || err != nil {
			written = nil
		}
		if c.Finish(rec, 0) == May {
			written = append(written, c.Complete(rec, now.Time(), result, "m"), c.Fail(rec, now.Time(), result))
		}
		for _, w := range written {
			text, err := w.Encode()
			if err != nil {
				t.Fatal(err)
			}
			got, err := Parse(text)
			if again, _ := got.Encode(); err != nil || !bytes.Equal(again, text) || got.Winner == "" {
				t.Errorf("%s follows %s, and is read as %s: %v", text, value, again, err)
			}
			if w.Completed != nil && rec.Completed == nil && !bytes.Equal(got.Completed.Result, result) {
				t.Errorf("the result %q is read as %q", result, got.Completed.Result)
			}
		}
	})
}

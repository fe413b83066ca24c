package election

import (
	"bytes"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/format"
	"github.com/seed-a1d591d3/leadership/internal/fuzzing"
)

// FuzzRecord: what is accepted is what Encode writes, and nothing is lost or added when it
// is written again; what follows it by the law is accepted, too; and what is refused is not
// shown.
func FuzzRecord(f *testing.F) {
	f.Fuzz(func(t *testing.T, value []byte, beat uint64, node string, by []byte) {
		rec, err := Parse(value)
		if err != nil {
			if fuzzing.Shows(err, string(value)) {
				t.Errorf("the error shows what is stored: %v", err)
			}
			return
		}
		again := rec.Encode()
		if !fuzzing.SameJSON(value, again) {
			t.Fatalf("%s is written as %s", value, again)
		}
		if rec.Held() == (rec.Leader == "") || rec.Held() && rec.TTL() <= 0 || !rec.Held() && (rec.TTL() != 0 || rec.Payload != nil) {
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
			token := NextToken(rec.Token, time.UnixMilli(int64(beat>>20)))
			if token <= rec.Token {
				t.Errorf("token %d after %d", token, rec.Token)
			}
			next = append(next, c.Take(rec, token, NextBeat(rec.Beat, uint32(beat)), rec.Last, time.UnixMilli(int64(beat>>20))))
		}
		for _, n := range next {
			if got, err := Parse(n.Encode()); err != nil || !bytes.Equal(got.Encode(), n.Encode()) {
				t.Errorf("%s follows %s, and is read as %s: %v", n.Encode(), value, got.Encode(), err)
			}
		}
	})
}

func valid(node string) bool {
	text, err := format.Marshal(node)
	return err == nil && node != "" && !bytes.Contains(text, []byte(`\ufffd`))
}

package indexes

import (
	"strings"
	"testing"

	"github.com/seed-a1d591d3/leadership/store"
)

func pair(value string, index uint64) *store.KVPair {
	return &store.KVPair{Value: []byte(value), LastIndex: index}
}

func TestTwoMismatchesInARowCondemnAStore(t *testing.T) {
	for _, c := range []struct {
		name         string
		wrote, found []*store.KVPair
		want         []Verdict
		verified     bool
	}{
		{"an index that is kept", []*store.KVPair{pair("a", 1)}, []*store.KVPair{pair("a", 1)}, []Verdict{Believe}, true},
		{"one mismatch", []*store.KVPair{pair("a", 1)}, []*store.KVPair{pair("a", 2)}, []Verdict{Doubt}, false},
		{"two mismatches", []*store.KVPair{pair("a", 1), pair("b", 3)}, []*store.KVPair{pair("a", 0), pair("b", 0)}, []Verdict{Doubt, Unsafe}, false},
		{"a mismatch, then a match", []*store.KVPair{pair("a", 1), pair("b", 3)}, []*store.KVPair{pair("a", 2), pair("b", 3)}, []Verdict{Doubt, Believe}, true},
		{"a match, then a mismatch", []*store.KVPair{pair("a", 1), pair("b", 3)}, []*store.KVPair{pair("a", 1), pair("b", 4)}, []Verdict{Believe, Believe}, true},
		{"another value", []*store.KVPair{pair("a", 1)}, []*store.KVPair{pair("b", 2)}, []Verdict{Believe}, false},
		{"nothing found", []*store.KVPair{pair("a", 1)}, []*store.KVPair{nil}, []Verdict{Believe}, false},
		{"nothing written", []*store.KVPair{nil}, []*store.KVPair{pair("a", 1)}, []Verdict{Believe}, false},
	} {
		var p Proof
		for i, want := range c.want {
			if got := p.Judge(c.wrote[i], c.found[i]); got != want {
				t.Errorf("%s: write %d: %v, want %v", c.name, i, got, want)
			}
		}
		if p.Verified() != c.verified {
			t.Errorf("%s: verified is %v", c.name, p.Verified())
		}
	}
}

func TestSameComparesIndexAndValue(t *testing.T) {
	for _, c := range []struct {
		a, b *store.KVPair
		want bool
	}{
		{nil, nil, true},
		{nil, pair("a", 1), false},
		{pair("a", 1), nil, false},
		{pair("a", 1), pair("a", 1), true},
		{pair("a", 1), pair("a", 2), false},
		{pair("a", 1), pair("b", 1), false},
	} {
		if got := Same(c.a, c.b); got != c.want {
			t.Errorf("%v and %v: %v", c.a, c.b, got)
		}
	}
}

func TestExplainNamesIndexesAndRemedy(t *testing.T) {
	text := Explain(pair("a", 17), pair("a", 0))
	for _, part := range []string{"17", "finds 0", "JSONCodec"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not tell %q", text, part)
		}
	}
}

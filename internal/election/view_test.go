package election

import (
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// seen is one step of a test: what a rival with instance "me" finds, and when
// it may then replace it.
type seen struct {
	at   time.Duration
	pair *store.KVPair
	rec  Record
	free time.Duration
}

func held(at time.Duration, instance string, token, beat uint64, free time.Duration) seen {
	rec := Record{Leader: "n", Instance: instance, Token: token, Millis: 10_000, Beat: beat}
	return seen{at, &store.KVPair{Value: rec.Encode(), LastIndex: beat}, rec, free}
}

func vacant(at time.Duration, token, beat uint64, free time.Duration) seen {
	rec := Record{Token: token, Beat: beat}
	return seen{at, &store.KVPair{Value: rec.Encode(), LastIndex: beat}, rec, free}
}

func missing(at, free time.Duration) seen { return seen{at: at, free: free} }

func TestRivalWaitsFromWhatItSaw(t *testing.T) {
	const s = time.Second
	for name, steps := range map[string][]seen{
		"a rival that has just started waits the whole TTL": {held(5*s, "x", 7, 3, 15*s)},
		"a record seen again unchanged is not waited for anew": {
			held(5*s, "x", 7, 3, 15*s), held(9*s, "x", 7, 3, 15*s),
		},
		"every renewal is waited for anew": {
			held(5*s, "x", 7, 3, 15*s), held(9*s, "x", 7, 4, 19*s),
		},
		"a seat that was vacated is free at once": {
			held(5*s, "x", 7, 3, 15*s), vacant(6*s, 7, 4, 6*s),
		},
		"a key that was never there is free at once": {missing(5*s, 5*s)},
		"a vacant record that vanishes is free at once": {
			vacant(5*s, 7, 4, 5*s), missing(6*s, 6*s),
		},
		"a held record that vanishes counts as held": {
			held(5*s, "x", 7, 3, 15*s), missing(9*s, 19*s), missing(11*s, 19*s),
		},
		"so it does after its TTL, for it may have been renewed unseen": {
			held(5*s, "x", 7, 3, 15*s), missing(40*s, 50*s),
		},
		"a vacancy that was rolled back to counts as held": {
			held(5*s, "x", 7, 3, 15*s), vacant(9*s, 6, 1, 19*s),
		},
		"a vanished record goes on counting when something older appears": {
			held(5*s, "x", 7, 3, 15*s), missing(9*s, 19*s), vacant(12*s, 6, 1, 19*s),
		},
		"so it does when a later term, of somebody who never saw it, is over": {
			held(5*s, "x", 7, 3, 15*s), missing(9*s, 19*s), vacant(12*s, 8, 2, 19*s),
		},
		"lower tokens are as good as any once that time has gone by": {
			held(5*s, "x", 7, 3, 15*s), missing(9*s, 19*s), held(12*s, "y", 6, 1, 22*s),
			held(20*s, "y", 6, 2, 30*s), vacant(21*s, 6, 3, 21*s),
		},
		"our own record is no obstacle": {held(5*s, "me", 7, 3, 5*s)},
		"our own record is one while a later one that vanished counts": {
			held(5*s, "x", 8, 9, 15*s), held(9*s, "me", 7, 3, 19*s),
		},
	} {
		t.Run(name, func(t *testing.T) {
			var v View[Record]
			me := Claimant{Instance: "me"}
			for i, step := range steps {
				v.See(step.pair, step.rec, step.at)
				if free := Free(&v, &me); free != step.free {
					t.Fatalf("step %d: free at %v, want %v", i, free, step.free)
				}
			}
		})
	}
}

func TestRivalComparesValuesAsWellAsIndexes(t *testing.T) {
	var v View[Record]
	v.See(&store.KVPair{Value: []byte("a"), LastIndex: 0}, Record{}, 1)
	if !v.See(&store.KVPair{Value: []byte("b"), LastIndex: 0}, Record{}, 2) {
		t.Error("another value under a repeated index was taken for the same record")
	}
	if !v.See(&store.KVPair{Value: []byte("b"), LastIndex: 1}, Record{}, 3) {
		t.Error("the same value under another index was taken for the same record")
	}
}

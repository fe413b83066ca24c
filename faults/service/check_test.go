package service

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/history"
)

// at is an instant of a forged history, in seconds.
func at(s float64) history.Stamp { return history.Stamp(s * float64(time.Second)) }

// asked has a leader of a term say so at each of these instants.
func asked(key, node string, token uint64, when ...float64) *history.Log {
	log := &history.Log{Process: history.Process{Role: history.Worker, Key: key, Node: node, Mode: "http"}}
	for _, s := range when {
		log.Lines = append(log.Lines, history.Line{Kind: history.Ask, Before: at(s), After: at(s), What: history.Term, Answer: history.Yes, Token: token})
	}
	return log
}

// told has a follower told of a token at each instant, 0 for nobody.
func told(key string, of map[float64]uint64, when ...float64) *history.Log {
	log := &history.Log{Process: history.Process{Role: history.Worker, Key: key, Node: "follower", Mode: history.Following}}
	for _, s := range when {
		log.Lines = append(log.Lines, history.Line{Kind: history.Follow, Before: at(s), After: at(s), Token: of[s]})
	}
	return log
}

func TestFollowersThatAreWrongAreFound(t *testing.T) {
	whole := []history.Line{{Kind: history.Sound, Before: 0, After: at(100)}}
	leaders := []*history.Log{asked("k", "a", 7, 10, 20, 40), asked("k", "b", 8, 42, 60), asked("other", "c", 9, 10, 60)}
	for name, c := range map[string]struct {
		follower *history.Log
		sound    []history.Line
		longest  float64
		wrong    int
	}{
		"right":             {told("k", map[float64]uint64{11: 7, 43: 8}, 11, 43), whole, 1, 0},
		"never told":        {told("k", nil), whole, 30, 2},
		"late once":         {told("k", map[float64]uint64{11: 7, 50: 8}, 11, 50), whole, 8, 1},
		"told of nobody":    {told("k", map[float64]uint64{11: 7, 20: 0, 26: 7, 42.5: 8}, 11, 20, 26, 42.5), whole, 6, 1},
		"back and forth":    {told("k", map[float64]uint64{11: 7, 20: 0, 23: 7, 25: 0, 28: 7, 43: 8}, 11, 20, 23, 25, 28, 43), whole, 3, 0},
		"while it is wrong": {told("k", map[float64]uint64{11: 7, 50: 8}, 11, 50), []history.Line{{Before: 0, After: at(44)}, {Before: at(48), After: at(100)}}, 2, 0},
		"of another":        {told("other", map[float64]uint64{11: 9}, 11), whole, 1, 0},
	} {
		longest, found := wrongFollowers(append(leaders, c.follower), c.sound, 4*time.Second)
		if longest != time.Duration(c.longest*float64(time.Second)) || len(found) != c.wrong {
			t.Errorf("%s: wrong for %v, %v; want %vs and %d", name, longest, found, c.longest, c.wrong)
		}
	}
}

func TestAnswersThatAreLostAreFound(t *testing.T) {
	var l ledger
	states := map[string]state{
		"r-1": {"a", "a"}, "r-2": {"b", ""}, "r-3": {"", ""}, "r-4": {"a", "b"}, "r-5": {"a", ""}, "t-6": {"b", "b"}, "t-7": {"b", "b"}, "r-8": {"a", ""},
	}
	l.won("r-1", "a")
	l.lost("r-1", "b")
	l.complete("r-1", "a")
	l.won("r-2", "a") // and b has it
	l.lost("r-3", "a")
	l.won("r-4", "a")
	l.complete("r-4", "a") // and it was b
	l.lost("r-5", "a")     // and it is its own
	l.lost("t-6", "b")     // an attempt later it has won
	l.complete("t-6", "b")
	l.complete("t-7", "a") // and then another has
	l.odd("r-8", "c was answered by 418")
	found := ""
	for _, v := range l.check(states) {
		found += v.By + " "
	}
	if found != "r-2 r-3 r-4 r-5 r-8 t-7 " {
		t.Errorf("%q", found)
	}
	if l.completed() != 4 || len(l.names()) != 8 {
		t.Errorf("%d are completed, of %s", l.completed(), strings.Join(l.names(), " "))
	}
}

func TestTimesThatAreSlowAreNotSound(t *testing.T) {
	sound := []history.Line{{Before: at(0), After: at(10)}, {Before: at(20), After: at(30)}}
	got := ""
	for _, s := range without(sound, []span{{at(2), at(3)}, {at(9), at(21)}, {at(25), at(26)}, {at(29), at(31)}}) {
		got += fmt.Sprint(time.Duration(s.Before), "-", time.Duration(s.After), " ")
	}
	if got != "0s-2s 3s-9s 21s-25s 26s-29s " {
		t.Error(got)
	}
	if left := without(sound, []span{{at(-1), at(40)}}); len(left) != 0 {
		t.Error(left)
	}
}

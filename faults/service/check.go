package service

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/history"
)

// Kinds of violations, beside those of package history.
const (
	WrongFollower = "wrong follower" // it has not told of a leader that it could know
	LostAnswer    = "lost answer"    // what was answered about a round is not so in the end
)

// check compares what was answered about rounds with what they are in the end. Rounds whose
// attempts have a TTL may have another winner by then, but what was completed stays so.
func (l *ledger) check(states map[string]state) (found []history.Violation) {
	lost := func(round, format string, args ...any) {
		found = append(found, history.Violation{Kind: LostAnswer, Key: system + "/" + round, By: round, Text: fmt.Sprintf(format, args...)})
	}
	for _, round := range l.names() {
		a, s := l.all[round], states[round]
		attempts := strings.HasPrefix(round, "t-")
		for _, node := range a.winners {
			if s.Winner != node {
				lost(round, "%s was told that it has won, and the winner is %q", node, s.Winner)
			}
		}
		for _, node := range a.losers {
			if s.Winner == "" || !attempts && s.Winner == node {
				lost(round, "%s was told that it has lost, and the winner is %q", node, s.Winner)
			}
		}
		for _, node := range a.completers {
			if s.Completer != node {
				lost(round, "%s was told that it has completed it, and the completer is %q", node, s.Completer)
			}
		}
		for _, text := range a.odd {
			lost(round, "%s", text)
		}
	}
	return found
}

// reign is a term, from an answer 'I lead' to another.
type reign struct {
	token    uint64
	from, to history.Stamp
}

// wrongFollowers looks for followers that have not named a leader for longer than allowed,
// though all was sound and it led all the time. It returns the longest that one was wrong.
func wrongFollowers(logs []*history.Log, sound []history.Line, allowed time.Duration) (longest time.Duration, found []history.Violation) {
	reigns := make(map[string][]*reign) // of each election
	byToken := make(map[string]*reign)
	for _, log := range logs {
		for _, line := range log.Lines {
			if line.Kind != history.Ask || line.Answer != history.Yes {
				continue
			}
			id := fmt.Sprint(log.Key, " ", line.Token)
			t := byToken[id]
			if t == nil {
				t = &reign{line.Token, line.After, line.Before}
				byToken[id] = t
				reigns[log.Key] = append(reigns[log.Key], t)
			}
			t.from, t.to = min(t.from, line.After), max(t.to, line.Before)
		}
	}
	for _, log := range logs {
		if log.Mode != history.Following {
			continue
		}
		var told []history.Line
		for _, line := range log.Lines {
			if line.Kind == history.Follow {
				told = append(told, line)
			}
		}
		for _, t := range reigns[log.Key] {
			for _, s := range sound {
				from, to := max(t.from, s.Before), min(t.to, s.After)
				if from >= to {
					continue
				}
				d, at := wrongFor(told, t.token, from, to)
				if longest = max(longest, d); d > allowed {
					found = append(found, history.Violation{
						Kind: WrongFollower, Key: log.Key, By: log.Node, At: at,
						Text: fmt.Sprintf("%s has not named the leader of term %d for %v", log.Node, t.token, d),
					})
				}
			}
		}
	}
	return longest, found
}

// wrongFor returns for how long between two instants a follower named no leader, or another
// than that of a token, at a stretch, and when that began.
func wrongFor(told []history.Line, token uint64, from, to history.Stamp) (longest time.Duration, at history.Stamp) {
	i, _ := slices.BinarySearchFunc(told, from, func(l history.Line, s history.Stamp) int { return cmp.Compare(l.After, s) })
	right := i > 0 && told[i-1].Token == token
	since := from
	end := func(now history.Stamp) {
		if d := now.Sub(since); !right && d > longest {
			longest, at = d, since
		}
	}
	for ; i < len(told) && told[i].After < to; i++ {
		now := told[i].Token == token
		if now == right {
			continue
		}
		end(told[i].After)
		right, since = now, told[i].After
	}
	end(to)
	return longest, at
}

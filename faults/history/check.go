package history

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Kinds of violations: the ways in which a history can be wrong.
const (
	Overlap      = "overlap"       // two lead at once
	TokenOrder   = "token order"   // one led after another with a higher token
	TokenTwice   = "token twice"   // two holders led by one token
	AfterEnd     = "after the end" // a yes in a term that was known to be over
	GivenUpEarly = "given up"      // another led while the work of a leader still ran, within its trust
	TwoWorks     = "two works"     // two works of one candidate ran at once
	StaleWrite   = "stale write"   // the fenced resource took a token that was below one it had taken
	Alternation  = "alternation"   // a stream that does not go false, true, false ...
	EmptySeat    = "empty seat"    // nobody led although a sound worker reached a sound store
	LateFollower = "late follower" // a sound follower named a leader long after there was another
	TwoWinners   = "two winners"   // of one round
	Leak         = "leak"          // goroutines or descriptors that are left over, or grow
)

// Kinds are all kinds of violations.
var Kinds = []string{Overlap, TokenOrder, TokenTwice, AfterEnd, GivenUpEarly, TwoWorks, StaleWrite, Alternation, EmptySeat, LateFollower, TwoWinners, Leak}

// Witness is a line and who wrote it.
type Witness struct {
	Log  *Log
	Line Line
}

// String returns the line with the name of who wrote it.
func (w Witness) String() string {
	if w.Log == nil {
		return "nobody"
	}
	return fmt.Sprintf("%s.%d (%s): %s", w.Log.Node, w.Log.Incarnation, w.Log.Path, w.Line)
}

// Violation is one way in which a history is wrong, with the lines that prove it.
type Violation struct {
	Kind string
	Key  string
	Text string
	// By is the question, resource, stream or whatever else told it.
	By string
	// At is when, for faults to be looked up.
	At      Stamp
	Witness []Witness
}

// String returns the violation in several lines.
func (v Violation) String() string {
	text := fmt.Sprintf("%s of %q at %v: %s", v.Kind, v.Key, time.Duration(v.At), v.Text)
	for _, w := range v.Witness {
		text += "\n\t" + w.String()
	}
	return text
}

// Limits are what a checker allows. There is none for overlaps.
type Limits struct {
	// Slack is for how long a seat may be empty, or a follower wrong, beyond the TTL and
	// the retry interval; 0 means a second.
	Slack time.Duration

	// Goroutines and Descriptors are by how many the count of a running process may
	// rise; 0 means 60.
	Goroutines, Descriptors int
}

// Result is what a checker has found.
type Result struct {
	// Yes is how often each question was answered 'I lead', and Overlaps how many of those
	// answers another leader's term proves wrong.
	Yes, Overlaps map[string]int

	Terms, Works, Rounds int

	// Accepted and Refused count the fenced writes, Stale those that were accepted though
	// they had to be refused. StaleUnfenced counts the writes that the unfenced resource took
	// after one with a higher token: what a fence is for.
	Accepted, Refused, Stale, StaleUnfenced int

	// LongestEmpty is for how long nobody led while a sound worker reached a sound store.
	LongestEmpty time.Duration

	Violations []Violation
}

// Count returns how many violations of a kind there are.
func (r *Result) Count(kind string) int {
	n := 0
	for _, v := range r.Violations {
		if v.Kind == kind {
			n++
		}
	}
	return n
}

// Check looks for all that is wrong in the logs of a run. Elections with different keys
// are looked at one by one; logs without a key belong to all of them.
func Check(logs []*Log, limits Limits) *Result {
	limits.Slack = cmp.Or(limits.Slack, time.Second)
	limits.Goroutines, limits.Descriptors = cmp.Or(limits.Goroutines, 60), cmp.Or(limits.Descriptors, 60)
	r := &Result{Yes: make(map[string]int), Overlaps: make(map[string]int)}
	var keys []string
	for _, log := range logs {
		if log.Key != "" && !slices.Contains(keys, log.Key) {
			keys = append(keys, log.Key)
		}
	}
	if slices.Sort(keys); len(keys) == 0 {
		keys = []string{""}
	}
	for _, key := range keys {
		c := &checker{Result: r, limits: limits, key: key}
		for _, log := range logs {
			if log.Key == key || log.Key == "" {
				c.logs = append(c.logs, log)
			}
		}
		c.check()
	}
	slices.SortFunc(r.Violations, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.By, b.By), cmp.Compare(a.Text, b.Text))
	})
	return r
}

// checker looks at one election.
type checker struct {
	*Result
	limits Limits
	key    string
	logs   []*Log
	terms  []*term   // by token
	untold []Witness // answers 'I lead' in terms that are not known
}

func (c *checker) check() {
	c.collect()
	c.leaders()
	c.ended()
	c.works()
	c.writes()
	c.seat()
	c.followers()
	for _, log := range c.logs {
		c.streams(log)
		c.vitals(log)
	}
	c.rounds()
}

// found adds a violation, that the last of its witnesses shows.
func (c *checker) found(kind, by, text string, witness ...Witness) {
	last := witness[len(witness)-1]
	c.Violations = append(c.Violations, Violation{Kind: kind, Key: c.key, By: by, Text: text, At: last.Line.After, Witness: witness})
}

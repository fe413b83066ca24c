package sim

import (
	"fmt"
	"hash/fnv"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// tracing asks for the whole history of each seed, with every look at the record.
var tracing = os.Getenv("SIM_TRACE") != ""

// trace is what happened, for people to read when a rule was broken, and for
// comparing one run of a seed with another.
type trace struct {
	mu     sync.Mutex
	events []event
}

type event struct {
	v      time.Duration
	who    string
	format string
	args   []any
}

func (e event) String() string {
	return fmt.Sprintf("%15v  %-8s  %s", e.v, e.who, fmt.Sprintf(e.format, e.args...))
}

func (t *trace) add(e event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, e)
}

// last returns the last n events, in words.
func (t *trace) last(n int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	if left := len(t.events) - n; left > 0 {
		fmt.Fprintf(&b, "%15s  %d events before\n", "...", left)
	}
	for _, line := range t.words()[max(0, len(t.events)-n):] {
		fmt.Fprintln(&b, line)
	}
	return b.String()
}

// randomName is what the key of a session has, or an instance.
var randomName = regexp.MustCompile(`\b[A-Z2-7]{26}\b`)

// words returns the events in words, in which random names are numbers. The lock is held.
func (t *trace) words() []string {
	numbers := make(map[string]string)
	lines := make([]string, len(t.events))
	for i, e := range t.events {
		lines[i] = randomName.ReplaceAllStringFunc(e.String(), func(name string) string {
			if numbers[name] == "" {
				numbers[name] = fmt.Sprint(len(numbers) + 1)
			}
			return numbers[name]
		})
	}
	return lines
}

// lines returns all events in an order of their own: at one instant, the
// scheduler decides who comes first.
func (t *trace) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := t.words()
	for i, e := range t.events {
		lines[i] = fmt.Sprintf("%020d %s", e.v, lines[i])
	}
	slices.Sort(lines)
	return lines
}

// sum returns a number that two runs of one seed have in common.
func (t *trace) sum() uint64 {
	h := fnv.New64a()
	for _, l := range t.lines() {
		h.Write([]byte(l))
	}
	return h.Sum64()
}

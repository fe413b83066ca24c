package report

import (
	"fmt"
	"strings"

	"github.com/seed-a1d591d3/leadership/faults/run"
	"github.com/seed-a1d591d3/leadership/faults/stage"
)

// The summary stands in the README between these lines.
const (
	begin = "<!-- faults: written by faults/cmd/faults -->\n"
	end   = "<!-- faults: end -->\n"
)

// Summary returns a table of the stores. Faults that make a store lose what it has acknowledged
// have a column of their own.
func (r *Results) Summary() string {
	var b strings.Builder
	b.WriteString("| store | faults | runs | terms | 'I lead' | overlaps | runs that lose acknowledged writes on purpose: with an overlap | stale writes that the fence accepted |\n" +
		"|---|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, k := range stage.Kinds {
		var sound, lost Cell
		faults, provoked := 0, 0
		for _, f := range run.Faults {
			c := r.Cell(k.Name, f.Name)
			if !f.Strikes(k) || c == nil || c.Runs == 0 {
				continue
			}
			faults++
			sum := &sound
			if f.Lost {
				provoked++
				sum = &lost
			}
			sum.Runs += c.Runs
			sum.Terms += c.Terms
			sum.Yes += c.Yes
			sum.Overlaps += c.Overlaps
			sum.Expected += c.Expected
			sum.Stale += c.Stale
		}
		risk := "none"
		if provoked > 0 {
			risk = fmt.Sprintf("%d of %d", lost.Expected, lost.Runs)
		}
		fmt.Fprintf(&b, "| %s | %d | %s | %s | %s | %d | %s | %d |\n", k.Name, faults, number(sound.Runs+lost.Runs),
			number(sound.Terms+lost.Terms), number(sound.Yes+lost.Yes), sound.Overlaps, risk, sound.Stale+lost.Stale)
	}
	return b.String()
}

// withSummary returns the text with the summary in its place.
func (r *Results) withSummary(text string) (string, error) {
	before, rest, ok := strings.Cut(text, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return "", fmt.Errorf("README.md has no lines %q and %q, between which the summary is to stand", begin, end)
	}
	return before + begin + "\n" + r.Summary() + "\n" + end + after, nil
}

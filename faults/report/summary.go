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

// totals are what cells come to: those in which the store keeps what it has acknowledged, and
// those in which it loses that.
type totals struct {
	sound, lost Cell
	cells       int // that were run
	losing      int // of them, those of lost
	open        int // that were not run yet
	seeds       int // that each cell was run with, at least
}

// sum returns what the cells of these stores come to.
func (r *Results) sum(kinds ...*stage.Kind) (t totals) {
	for _, k := range kinds {
		for _, f := range run.Faults {
			if !f.Strikes(k) {
				continue
			}
			c := r.Cell(k.Name, f.Name)
			seeds := 0
			if c != nil {
				seeds = len(parseSeeds(c.Seeds))
			}
			if t.cells+t.open == 0 || seeds < t.seeds {
				t.seeds = seeds
			}
			switch {
			case seeds == 0:
				t.open++
				continue
			case f.Lost:
				t.losing++
				t.lost.plus(c)
			default:
				t.sound.plus(c)
			}
			t.cells++
		}
	}
	return t
}

// plus adds the counts of another cell.
func (c *Cell) plus(d *Cell) {
	c.Runs += d.Runs
	c.Terms += d.Terms
	c.Yes += d.Yes
	c.Overlaps += d.Overlaps
	c.Accepted += d.Accepted
	c.Refused += d.Refused
	c.Stale += d.Stale
	c.Expected += d.Expected
	c.Violations = append(c.Violations, d.Violations...)
}

// Summary returns a table of the stores. Faults that make a store lose what it has acknowledged
// have a column of their own.
func (r *Results) Summary() string {
	var b strings.Builder
	b.WriteString("| store | faults | runs | terms | 'I lead' | overlaps | runs that lose acknowledged writes on purpose: with an overlap | stale writes that the fence accepted |\n" +
		"|---|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, k := range stage.Kinds {
		t := r.sum(k)
		risk := "none"
		if t.losing > 0 {
			risk = fmt.Sprintf("%d of %d", t.lost.Expected, t.lost.Runs)
		}
		fmt.Fprintf(&b, "| %s | %d | %s | %s | %s | %d | %s | %d |\n", k.Name, t.cells, number(t.sound.Runs+t.lost.Runs),
			number(t.sound.Terms+t.lost.Terms), number(t.sound.Yes+t.lost.Yes), t.sound.Overlaps, risk, t.sound.Stale+t.lost.Stale)
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

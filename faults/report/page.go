package report

import (
	_ "embed" // for the texts of the page
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed-a1d591d3/leadership/faults/run"
	"github.com/seed-a1d591d3/leadership/faults/stage"
)

//go:embed intro.md
var intro string

//go:embed findings.md
var findings string

// What faults/cmd/service and faults/cmd/soak have found.
//
//go:embed service.md
var ofService string

//go:embed soak.md
var ofSoak string

// Page returns the page that tells the results.
func (r *Results) Page() string {
	var b strings.Builder
	b.WriteString(intro)
	r.total(&b)
	for _, k := range stage.Kinds {
		r.table(&b, k)
	}
	r.sabotages(&b)
	b.WriteString("\n## The faults\n\n| fault | what happens |\n|---|---|\n")
	for _, f := range run.Faults {
		fmt.Fprintf(&b, "| %s | %s |\n", f.Name, f.About)
	}
	b.WriteString("\n" + ofService + "\n" + ofSoak + "\n" + findings)
	return b.String()
}

// WritePages writes the page, and the summary in the README, of the project in that folder.
func (r *Results) WritePages(root string) error {
	readme := filepath.Join(root, "README.md")
	text, err := os.ReadFile(readme)
	if err != nil {
		return err
	}
	summed, err := r.withSummary(string(text))
	if err != nil {
		return err
	}
	return errors.Join(replace(filepath.Join(root, "docs/faults.md"), []byte(r.Page())), replace(readme, []byte(summed)))
}

// total writes what all cells come to.
func (r *Results) total(b *strings.Builder) {
	t := r.sum(stage.Kinds...)
	all := t.sound
	all.plus(&t.lost)
	b.WriteString("\n## The results\n\n")
	fmt.Fprintf(b, "In %s runs of %d cells there were %s terms, and %s questions were answered 'I lead'.\n",
		number(all.Runs), t.cells, number(all.Terms), number(all.Yes))
	fmt.Fprintf(b, "Each cell was run with %d seeds or more.\n", t.seeds)
	fmt.Fprintf(b, "Overlaps: %d, but for the %d cells in which the store loses what it has acknowledged.\n", t.sound.Overlaps, t.losing)
	fmt.Fprintf(b, "Stale writes that the fenced resource accepted: %d, in all cells; it accepted %s others, and refused %s.\n",
		all.Stale, number(all.Accepted), number(all.Refused))
	fmt.Fprintf(b, "Other violations: %d.", len(all.Violations))
	if t.open > 0 {
		fmt.Fprintf(b, " Cells not run yet: %d.", t.open)
	}
	b.WriteString("\n")
}

// table writes the cells of a store.
func (r *Results) table(b *strings.Builder, k *stage.Kind) {
	fmt.Fprintf(b, "\n### %s\n\n%s.", k.Name, capital(k.About))
	for _, program := range k.Programs {
		if version := r.Versions[program]; version != "" {
			fmt.Fprintf(b, " %s.", version)
		}
	}
	fmt.Fprintf(b, "\nTo repeat a row: `go run ./faults/cmd/faults --store %s --fault FAULT --seed 1 --runs 20`\n\n", k.Name)
	b.WriteString("| fault | result | runs | seeds | TTL | terms | 'I lead' | overlaps | fenced: stale accepted | refused | unfenced: stale accepted | longest empty seat |\n")
	b.WriteString("|---|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, f := range run.Faults {
		if !f.Strikes(k) {
			continue
		}
		c := r.Cell(k.Name, f.Name)
		if c == nil || c.Runs == 0 {
			fmt.Fprintf(b, "| %s | not run yet | | | | | | | | | | |\n", f.Name)
			continue
		}
		fmt.Fprintf(b, "| %s | %s | %d | %s | %s | %s | %s | %d | %d | %s | %s | %s |\n", f.Name, c.result(f), c.Runs, c.Seeds, c.TTL,
			number(c.Terms), number(c.Yes), c.Overlaps, c.Stale, number(c.Refused), number(c.StaleUnfenced), c.empty())
	}
	for _, f := range run.Faults {
		if c := r.Cell(k.Name, f.Name); c != nil && f.Strikes(k) {
			for _, v := range c.Violations {
				fmt.Fprintf(b, "\n- %s, %s", f.Name, v)
			}
		}
	}
}

// sabotages writes which sabotaged workers were found.
func (r *Results) sabotages(b *strings.Builder) {
	b.WriteString("\n## Sabotaged workers\n\n" +
		"A check that cannot fail is worth nothing. So rules of the library are broken in the workers, one at a time, and runs with other seeds\n" +
		"follow each other until one finds it; then a run of the same kind has to find nothing in sound workers. To repeat it: `go run ./faults/cmd/faults --sabotaged`\n\n" +
		"| rule | what is broken | store | fault | found | in runs | after | in sound workers |\n|---|---|---|---|---|--:|--:|---|\n")
	for _, f := range r.Sabotages {
		found, sound := "**NOT FOUND**", "nothing"
		if f.Violation != "" {
			first, _, _ := strings.Cut(f.Violation, "\n")
			kind, text, _ := strings.Cut(first, " of ")
			_, text, _ = strings.Cut(text, ": ")
			found = kind + ": " + text
		}
		if len(f.Sound) > 0 {
			sound = fmt.Sprintf("**%d VIOLATIONS**", len(f.Sound))
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %d | %.0f s | %s |\n", f.Rule, f.How, f.Store, f.Fault, found, f.Runs, f.Seconds, sound)
	}
}

// result returns what the cell comes to.
func (c *Cell) result(f *run.Fault) string {
	switch {
	case len(c.Violations) > 0:
		return "**VIOLATION**"
	case f.Lost && c.Expected == 0:
		return "expected: overlap by lost data; none came"
	case f.Lost:
		return fmt.Sprintf("expected: overlap by lost data, in %d; fence held", c.Expected)
	}
	return "none"
}

// empty returns the longest time for which nobody led, and in which share of the time that
// was looked for.
func (c *Cell) empty() string {
	switch share := 100 * c.Calm / c.Seconds; {
	case share < 1:
		return "not looked for"
	case share < 95:
		return fmt.Sprintf("%.2f s (in %.0f %%)", c.Empty, share)
	}
	return fmt.Sprintf("%.2f s", c.Empty)
}

// number writes a number with its thousands set apart.
func number(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

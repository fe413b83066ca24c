package report

import (
	"bytes"
	_ "embed" // for the beginning of the page
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-a1d591d3/leadership/bench/count"
	"github.com/seed-a1d591d3/leadership/bench/peers"
	"github.com/seed-a1d591d3/leadership/bench/rows"
	"github.com/seed-a1d591d3/leadership/bench/stat"
)

//go:embed intro.md
var intro string

// Page returns the page that tells the results.
func (r *Results) Page() string {
	var b strings.Builder
	b.WriteString(intro)
	r.measured(&b)
	for _, k := range rows.Kinds {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", k.Title, k.About)
		if Plotted(k) {
			fmt.Fprintf(&b, "![%s, over the number](%s)\n\n", k.Title, plotName(k))
		}
		b.WriteString(r.Table(ofKind(k)))
	}
	r.used(&b)
	return b.String()
}

func ofKind(k *rows.Kind) []*rows.Row {
	return slices.DeleteFunc(rows.All(false), func(r *rows.Row) bool { return r.Kind != k })
}

// Files returns the page and its plots, by their paths in the project's folder.
func (r *Results) Files() (map[string][]byte, error) {
	files := map[string][]byte{"docs/benchmarks.md": []byte(r.Page())}
	for _, k := range rows.Kinds {
		if !Plotted(k) {
			continue
		}
		var svg bytes.Buffer
		if err := r.plot(k, &svg); err != nil {
			return nil, err
		}
		files["docs/"+plotName(k)] = svg.Bytes()
	}
	return files, nil
}

// WritePages writes the page and its plots in the project of that folder.
func (r *Results) WritePages(root string) error {
	files, err := r.Files()
	if err != nil {
		return err
	}
	for path, content := range files {
		if err := replace(filepath.Join(root, path), content); err != nil {
			return err
		}
	}
	return nil
}

// measured tells when and on what.
func (r *Results) measured(b *strings.Builder) {
	when, missing := make(map[string]int), 0
	for _, row := range rows.All(false) {
		if o := r.row(row.Name()); o != nil {
			when[o.Date+", commit "+o.Commit]++
		} else {
			missing++
		}
	}
	b.WriteString("\n## Measured on\n\n")
	if r.Machine != "" {
		fmt.Fprintf(b, "%s; %s.\n", r.Machine, r.Go)
	}
	for _, at := range slices.Sorted(maps.Keys(when)) {
		fmt.Fprintf(b, "%s: %d rows. ", at, when[at])
	}
	if missing > 0 {
		fmt.Fprintf(b, "Rows that are not measured yet: %d.", missing)
	}
	b.WriteString("\n\n| server | version |\n|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(r.Servers)) {
		fmt.Fprintf(b, "| %s | %s |\n", name, r.Servers[name])
	}
}

// Table returns a table of rows of one kind, and which of them a peer wins.
func (r *Results) Table(all []*rows.Row) string {
	var b strings.Builder
	if len(all) == 0 {
		return ""
	}
	columns := all[0].Kind.Columns
	b.WriteString("| row | side |")
	for _, c := range columns {
		fmt.Fprintf(&b, " %s |", c.Head)
	}
	b.WriteString(" load |\n|---|---|" + strings.Repeat("--:|", len(columns)+1) + "\n")
	var won []string
	for _, row := range all {
		o := r.row(row.Name())
		if o == nil {
			fmt.Fprintf(&b, "| `%s` | not measured yet |%s\n", row.Name(), strings.Repeat(" |", len(columns)+1))
			continue
		}
		for i, side := range o.Sides {
			name, load := "", ""
			if i == 0 {
				name, load = "`"+row.Name()+"`", strconv.FormatFloat(o.Load, 'f', 1, 64)
			}
			fmt.Fprintf(&b, "| %s | %s |", name, side.Name)
			for _, c := range columns {
				fmt.Fprintf(&b, " %s |", cell(c, o, side))
			}
			fmt.Fprintf(&b, " %s |\n", load)
		}
		if text := wonBy(columns[0], o); text != "" {
			won = append(won, text)
		}
	}
	for _, row := range all {
		if o := r.row(row.Name()); o != nil {
			notes(&b, o)
		}
	}
	if len(won) > 0 {
		fmt.Fprintf(&b, "\nWhere a peer is better by 5 %% or more, by %s:\n\n%s\n", columns[0].Head, strings.Join(won, "\n"))
	}
	return b.String()
}

// notes writes what is to be said of the sides of a row.
func notes(b *strings.Builder, o *rows.Outcome) {
	for _, side := range o.Sides {
		if side.Note != "" {
			fmt.Fprintf(b, "\n- `%s`, %s: %s", o.Row, side.Name, side.Note)
		}
	}
	if b.Len() > 0 && !strings.HasSuffix(b.String(), "\n") {
		b.WriteString("\n")
	}
}

// cell tells a figure, in bold if no other side's is better.
func cell(c rows.Column, o *rows.Outcome, side rows.Side) string {
	f, ok := side.Figures[c.Key]
	if !ok || f.N == 0 {
		return "–"
	}
	text := number(f.Median, c.Digits)
	if best, compared := bestOf(c, o); compared && !c.Plain && text == number(best, c.Digits) {
		text = "**" + text + "**"
	}
	if c.P99 && f.N > 1 {
		text += " (" + number(f.P99, c.Digits) + ")"
	}
	return text
}

// bestOf returns the best median of all sides, and whether there is another to compare it with.
func bestOf(c rows.Column, o *rows.Outcome) (best float64, compared bool) {
	n := 0
	for _, side := range o.Sides {
		f, ok := side.Figures[c.Key]
		if !ok || f.N == 0 {
			continue
		}
		if n == 0 || better(c, f.Median, best) {
			best = f.Median
		}
		n++
	}
	return best, n > 1
}

func better(c rows.Column, a, b float64) bool {
	if c.More {
		return a > b
	}
	return a < b
}

// wonBy tells which peers are better than this project's side, and by how much; "" if none is.
func wonBy(c rows.Column, o *rows.Outcome) string {
	i := slices.IndexFunc(o.Sides, func(s rows.Side) bool { return ours(s.Name) })
	if i < 0 {
		return ""
	}
	mine, ok := o.Sides[i].Figures[c.Key]
	var peers []string
	for _, side := range o.Sides {
		f := side.Figures[c.Key]
		if f.N == 0 || ours(side.Name) || ok && mine.N > 0 && ratio(c, f, mine) < noise {
			continue
		}
		if times := ratio(c, f, mine); times > 0 {
			peers = append(peers, fmt.Sprintf("%s (%.1f times)", side.Name, times))
		} else {
			peers = append(peers, side.Name)
		}
	}
	if len(peers) == 0 {
		return ""
	}
	return fmt.Sprintf("- `%s`: %s", o.Row, strings.Join(peers, ", "))
}

// noise is how many times better a figure has to be to be told as such.
const noise = 1.05

// ratio returns how many times better a figure is, or 0 where that cannot be told.
func ratio(c rows.Column, f, mine stat.Figure) float64 {
	low, high := f.Median, mine.Median
	if c.More {
		low, high = high, low
	}
	if low <= 0 || high <= 0 {
		return 0
	}
	return high / low
}

// ours reports whether a side is this project's.
func ours(side string) bool {
	_, library, ok := strings.Cut(side, "/")
	return ok && library == peers.Ours || side == rows.Service
}

// used tells the libraries and how they are used, and what is counted.
func (r *Results) used(b *strings.Builder) {
	b.WriteString("\n## The libraries\n\n| side | module | version | how it is used here |\n|---|---|---|---|\n")
	for _, l := range peers.Libraries {
		version := r.Libraries[l.Module]
		if l.Name == peers.Ours {
			version = "this commit"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", l.Side(), l.Module, version, l.About)
	}
	b.WriteString("\nOf the older systems, docker/leadership runs on Consul; its etcd store speaks version 2 of etcd's API, which servers have no more. " +
		"drio-ai/leaderelection is not measured: its module cannot be fetched.\n" +
		"\n## What is counted\n\nBy the servers' own counters:\n\n| server | requests | writes |\n|---|---|---|\n")
	for _, c := range count.About {
		fmt.Fprintf(b, "| %s | %s | %s |\n", c.Store, c.Requests, c.Writes)
	}
}

// number writes a number with that many digits behind the point and its thousands set apart.
func number(v float64, digits int) string {
	text := strconv.FormatFloat(v, 'f', digits, 64)
	whole, rest, _ := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest != "" {
		whole += "." + rest
	}
	return whole
}

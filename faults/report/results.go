// Package report adds up what runs under faults have found, over several sittings, and
// writes the page that tells it.
package report

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-a1d591d3/leadership/faults/run"
	"github.com/seed-a1d591d3/leadership/faults/sabotaged"
)

// Results are what has been found so far.
type Results struct {
	Versions map[string]string `json:"versions"` // of servers, by their names
	Cells    []*Cell           `json:"cells"`

	Sabotages []sabotaged.Found `json:"sabotages,omitempty"`
}

// Cell is what has been found for one store and one fault.
type Cell struct {
	Store         string   `json:"store"`
	Fault         string   `json:"fault"`
	TTL           string   `json:"ttl"` // such as "1s, 500ms"
	Runs          int      `json:"runs"`
	Seeds         string   `json:"seeds"` // such as 1-20,42
	Seconds       float64  `json:"seconds"`
	Terms         int      `json:"terms"`
	Yes           int      `json:"yes"`
	Overlaps      int      `json:"overlaps"`
	Accepted      int      `json:"accepted"`
	Refused       int      `json:"refused"`
	Stale         int      `json:"stale"`
	StaleUnfenced int      `json:"stale_unfenced"`
	Empty         float64  `json:"longest_empty_seconds"`
	Calm          float64  `json:"calm_seconds"`         // of all, those in which empty seats were looked for
	Expected      int      `json:"expected,omitempty"`   // runs with an overlap by lost data
	Violations    []string `json:"violations,omitempty"` // of other runs, the first line of each
	Broken        int      `json:"broken,omitempty"`     // runs that could not be made
}

// Read reads a file of results. One that is not there is empty.
func Read(path string) (*Results, error) {
	r := &Results{Versions: make(map[string]string)}
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(content, r)
	}
	if err != nil {
		return nil, fmt.Errorf("read the results: %w", err)
	}
	return r, nil
}

// Write writes the file.
func (r *Results) Write(path string) error {
	content, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return replace(path, append(content, '\n'))
}

// replace writes a file at once: it is whole at every instant.
func replace(path string, content []byte) error {
	if err := os.WriteFile(path+".new", content, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// Cell returns the cell of a store and a fault, nil if there is none.
func (r *Results) Cell(store, fault string) *Cell {
	i := slices.IndexFunc(r.Cells, func(c *Cell) bool { return c.Store == store && c.Fault == fault })
	if i < 0 {
		return nil
	}
	return r.Cells[i]
}

// Forget drops a cell.
func (r *Results) Forget(store, fault string) {
	r.Cells = slices.DeleteFunc(r.Cells, func(c *Cell) bool { return c.Store == store && c.Fault == fault })
}

// Add adds what has been found in one run.
func (r *Results) Add(o run.Outcome) {
	c := r.Cell(o.Store, o.Fault)
	if c == nil {
		c = &Cell{Store: o.Store, Fault: o.Fault}
		r.Cells = append(r.Cells, c)
	}
	if !slices.Contains(strings.Split(c.TTL, ", "), o.TTL) {
		c.TTL = strings.TrimPrefix(c.TTL+", "+o.TTL, ", ")
	}
	if o.Verdict == run.Broken {
		c.Broken++
		return
	}
	c.Runs++
	c.Seeds = addSeed(c.Seeds, o.Seed)
	c.Seconds += o.Seconds
	c.Calm += o.Calm
	c.Terms += o.Terms
	c.Yes += o.Yes
	c.Overlaps += o.Overlaps
	c.Accepted += o.Accepted
	c.Refused += o.Refused
	c.Stale += o.Stale
	c.StaleUnfenced += o.StaleUnfenced
	c.Empty = max(c.Empty, o.Empty)
	switch o.Verdict {
	case run.Expected:
		c.Expected++
	case run.Violation:
		for _, v := range o.Violations {
			first, _, _ := strings.Cut(v, "\n")
			c.Violations = append(c.Violations, fmt.Sprintf("seed %d: %s", o.Seed, first))
		}
	}
}

// Missing returns those of jobs whose seeds the cell has not been run with. The cells that
// were run with the fewest come first, so that wherever that ends all have about as many; and
// the stores take turns.
func (r *Results) Missing(jobs []run.Job) []run.Job {
	type missing struct {
		run.Job
		before, fault int
	}
	var all []missing
	has := make(map[string][]uint64)
	for _, job := range jobs {
		cell := job.Kind.Name + " " + job.Fault.Name
		if _, ok := has[cell]; !ok {
			has[cell] = nil
			if c := r.Cell(job.Kind.Name, job.Fault.Name); c != nil {
				has[cell] = parseSeeds(c.Seeds)
			}
		}
		if !slices.Contains(has[cell], job.Seed) {
			all = append(all, missing{job, len(has[cell]), slices.Index(run.Faults, job.Fault)})
			has[cell] = append(has[cell], job.Seed)
		}
	}
	slices.SortStableFunc(all, func(a, b missing) int {
		return cmp.Or(cmp.Compare(a.before, b.before), cmp.Compare(a.fault, b.fault))
	})
	ordered := make([]run.Job, len(all))
	for i, m := range all {
		ordered[i] = m.Job
	}
	return ordered
}

// parseSeeds returns the seeds that a text such as 1-20,42 tells.
func parseSeeds(text string) (seeds []uint64) {
	for part := range strings.SplitSeq(text, ",") {
		low, high, ranged := strings.Cut(part, "-")
		if !ranged {
			high = low
		}
		from, err1 := strconv.ParseUint(low, 10, 64)
		to, err2 := strconv.ParseUint(high, 10, 64)
		for n := from; err1 == nil && err2 == nil && n <= to; n++ {
			seeds = append(seeds, n)
		}
	}
	return seeds
}

// addSeed adds a seed to such a text.
func addSeed(text string, seed uint64) string {
	seeds := append(parseSeeds(text), seed)
	slices.Sort(seeds)
	seeds = slices.Compact(seeds)
	var parts []string
	for i := 0; i < len(seeds); {
		j := i
		for j+1 < len(seeds) && seeds[j+1] == seeds[j]+1 {
			j++
		}
		if i == j {
			parts = append(parts, fmt.Sprint(seeds[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", seeds[i], seeds[j]))
		}
		i = j + 1
	}
	return strings.Join(parts, ",")
}

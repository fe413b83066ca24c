package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/report"
	"github.com/seed-a1d591d3/leadership/faults/run"
)

// progress tells how the runs go: one line for each, and at a terminal what is left.
type progress struct {
	json, terminal bool
	total          int
	seconds        float64 // that the runs not done yet take, by estimate
	parallel       int
	ttl            time.Duration
	began          time.Time
	jobs           map[string]run.Job

	finished, violations, broken, expected, yes int
	worst                                       []run.Outcome
}

func newProgress(c *config, jobs []run.Job) *progress {
	p := &progress{json: c.json, total: len(jobs), parallel: c.parallel, ttl: c.options.TTL, began: time.Now(), jobs: make(map[string]run.Job)}
	if info, err := os.Stdout.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 && !c.json {
		p.terminal = true
	}
	for _, job := range jobs {
		p.seconds += job.Seconds(p.ttl)
		p.jobs[name(job.Kind.Name, job.Fault.Name, job.Seed)] = job
	}
	if !c.json {
		fmt.Printf("%d runs, %d at a time: about %v\n", p.total, p.parallel, p.left())
	}
	return p
}

func name(store, fault string, seed uint64) string {
	return fmt.Sprintf("%s %s %d", store, fault, seed)
}

// left returns about how long the runs take that are not done yet.
func (p *progress) left() time.Duration {
	return time.Duration(p.seconds / float64(p.parallel) * float64(time.Second)).Round(time.Second)
}

func (p *progress) done(o run.Outcome) {
	p.finished++
	p.seconds -= p.jobs[name(o.Store, o.Fault, o.Seed)].Seconds(p.ttl)
	p.yes += o.Yes
	switch o.Verdict {
	case run.Violation:
		p.violations++
	case run.Broken:
		p.broken++
	case run.Expected:
		p.expected++
	}
	if o.Verdict == run.Violation || o.Verdict == run.Broken {
		p.worst = append(p.worst, o)
	}
	if p.json {
		line, err := json.Marshal(o)
		if err != nil {
			panic(err) // it has numbers and strings only
		}
		fmt.Printf("%s\n", line)
		return
	}
	if p.terminal {
		fmt.Print("\r\x1b[K")
	}
	fmt.Printf("%s/%s seed %d: %s, %d terms, %d times 'I lead', %d overlaps, %d stale accepted, %d refused, %.2f s empty, %.1f s\n",
		o.Store, o.Fault, o.Seed, o.Verdict, o.Terms, o.Yes, o.Overlaps, o.Stale, o.Refused, o.Empty, o.Seconds)
	p.tell(o)
	if p.terminal {
		fmt.Printf("%d of %d, about %v left ", p.finished, p.total, p.left())
	}
}

// tell prints what is wrong in a run.
func (p *progress) tell(o run.Outcome) {
	if o.Verdict != run.Violation && o.Verdict != run.Broken {
		return
	}
	if o.Error != "" {
		fmt.Printf("\t%s\n", strings.ReplaceAll(o.Error, "\n", "\n\t"))
	}
	for i, v := range o.Violations {
		if i == 5 {
			fmt.Printf("\tand %d more\n", len(o.Violations)-i)
			break
		}
		fmt.Printf("\t%s\n", strings.ReplaceAll(v, "\n", "\n\t"))
	}
	for _, note := range o.Notes {
		fmt.Printf("\tserver: %s\n", strings.ReplaceAll(note, "\n", "\n\t"))
	}
	fmt.Printf("\trepeat: %s\n\tlogs:   %s\n", o.Repeat, o.Logs)
}

// end prints what all runs come to.
func (p *progress) end() {
	if !p.json {
		if p.terminal {
			fmt.Print("\r\x1b[K")
		}
		fmt.Printf("%d of %d runs in %v: %d times 'I lead', %d violations, %d overlaps by lost data, %d could not be made\n",
			p.finished, p.total, time.Since(p.began).Round(time.Second), p.yes, p.violations, p.expected, p.broken)
		for _, o := range p.worst {
			fmt.Printf("%s: %s\n", o.Verdict, o.Repeat)
		}
	}
}

func (p *progress) code() int {
	switch {
	case p.violations > 0:
		return exitViolation
	case p.broken > 0:
		return exitBroken
	}
	return 0
}

// listJobs prints the cells, and what has been found so far.
func (c *config) listJobs(jobs []run.Job, results *report.Results) error {
	seconds := 0.0
	listed := make(map[string]bool)
	for _, job := range jobs {
		took := job.Seconds(c.options.TTL)
		seconds += took
		cell := job.Kind.Name + " " + job.Fault.Name
		if listed[cell] {
			continue
		}
		listed[cell] = true
		found := "not run yet"
		if cell := results.Cell(job.Kind.Name, job.Fault.Name); cell != nil {
			found = fmt.Sprintf("%d runs, %d terms, %d times 'I lead', %d overlaps", cell.Runs, cell.Terms, cell.Yes, cell.Overlaps)
		}
		fmt.Printf("%-15s %-21s %5.1f s  %s\n", job.Kind.Name, job.Fault.Name, took, found)
	}
	_, err := fmt.Printf("%d runs, %d at a time: about %v\n", len(jobs), c.parallel,
		time.Duration(seconds/float64(c.parallel)*float64(time.Second)).Round(time.Second))
	return err
}

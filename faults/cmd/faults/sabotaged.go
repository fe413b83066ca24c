package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"github.com/seed-a1d591d3/leadership/faults/report"
	"github.com/seed-a1d591d3/leadership/faults/sabotaged"
)

// findSabotages makes runs with workers in which a rule is broken, and returns the exit
// code: each has to be found. dir is for programs and logs.
func (c *config) findSabotages(ctx context.Context, dir string, results *report.Results) (code int, err error) {
	if c.options.Worker, err = sabotaged.Build(ctx, c.root, dir); err != nil {
		return 0, err
	}
	if err := c.build(ctx, dir); err != nil {
		return 0, err
	}
	c.options.Logs = filepath.Join(dir, "logs")
	found := make([]sabotaged.Found, len(sabotaged.All))
	errs := make([]error, len(found))
	next := make(chan int)
	var working, telling sync.WaitGroup
	var mu sync.Mutex
	for range min(c.parallel, len(found)) {
		working.Go(func() {
			for i := range next {
				found[i], errs[i] = sabotaged.Find(ctx, i, c.options)
				mu.Lock()
				tellSabotage(found[i])
				mu.Unlock()
			}
		})
	}
	telling.Go(func() {
		defer close(next)
		for i := range found {
			select {
			case next <- i:
			case <-ctx.Done():
				return
			}
		}
	})
	telling.Wait()
	working.Wait()
	if err := errors.Join(append(errs, ctx.Err())...); err != nil {
		return 0, err
	}
	for _, f := range found {
		if !f.OK() {
			code = exitViolation
		}
	}
	if !c.record {
		return code, nil
	}
	for i := range found {
		found[i].Violation, _, _ = strings.Cut(found[i].Violation, "\n") // the logs are gone
	}
	results.Sabotages = found
	return code, errors.Join(results.Write(c.results), results.WritePages(c.root))
}

func tellSabotage(f sabotaged.Found) {
	what := "NOT FOUND"
	if f.Violation != "" {
		what = "found"
	}
	fmt.Printf("%s, %s: %s by %s/%s, in %d runs and %.0f s\n", f.Rule, f.How, what, f.Store, f.Fault, f.Runs, f.Seconds)
	for _, text := range append([]string{f.Violation, f.Error}, f.Sound...) {
		if text != "" {
			fmt.Printf("\t%s\n", strings.ReplaceAll(text, "\n", "\n\t"))
		}
	}
}

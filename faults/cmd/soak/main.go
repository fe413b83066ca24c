// Command soak has elections on every store go on for an hour, with a fault every ten
// seconds, and fails if that takes more memory, goroutines, connections or file descriptors
// in the end than in the beginning.
//
//	go run ./faults/cmd/soak -duration 1h -record
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/soak"
	_ "github.com/seed-a1d591d3/leadership/store/all"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		exit(soak.Work(os.Args[2:], os.Stdin, os.Stdout))
	}
	testing.Init() // package servers starts servers for tests
	if err := flag.CommandLine.Parse(nil); err != nil {
		panic(err)
	}
	exit(run())
}

func exit(err error) {
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c := soak.Config{Worker: []string{self, "worker"}, Log: os.Stderr}
	f := flag.NewFlagSet("soak", flag.ContinueOnError)
	f.DurationVar(&c.Duration, "duration", time.Hour, "how long")
	f.DurationVar(&c.Every, "every", 10*time.Second, "time between two faults")
	f.DurationVar(&c.Sample, "sample", 10*time.Second, "time between two samples")
	f.DurationVar(&c.TTL, "ttl", time.Second, "TTL of the elections")
	f.Uint64Var(&c.Seed, "seed", 1, "seed of the faults")
	names := f.String("store", strings.Join(soak.Stores(), ","), "stores, separated by commas")
	dir := f.String("dir", os.TempDir(), "folder for soak.csv, soak.svg and soak.md")
	record := f.Bool("record", false, "write faults/soak/soak.csv, docs/soak.svg and faults/report/soak.md instead")
	only := f.Bool("plot", false, "plot the samples that there are, and do nothing else")
	if err := f.Parse(os.Args[1:]); err != nil {
		return err
	}
	svg, md := filepath.Join(*dir, "soak.svg"), filepath.Join(*dir, "soak.md")
	c.Stores, c.Samples = strings.Split(*names, ","), filepath.Join(*dir, "soak.csv")
	if *record {
		root, err := exec.CommandContext(context.Background(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/seed-a1d591d3/leadership").Output()
		if err != nil {
			return fmt.Errorf("soak: find the repository: %w", err)
		}
		in := func(path string) string { return filepath.Join(strings.TrimSpace(string(root)), path) }
		c.Samples, svg, md = in("faults/soak/soak.csv"), in("docs/soak.svg"), in("faults/report/soak.md")
	}
	var samples []soak.Sample
	if *only {
		samples, err = soak.Read(c.Samples)
	} else {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		samples, err = soak.Do(ctx, c)
	}
	if len(samples) < 2 {
		return errors.Join(err, errors.New("soak: there are no samples"))
	}
	summary := soak.Summary(samples)
	fmt.Print(summary)
	return errors.Join(err, soak.Flat(samples), soak.Plot(samples, svg), os.WriteFile(md, []byte(soak.Page(samples)), 0o644))
}

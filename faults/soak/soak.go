// Package soak has one process stand in elections on every store for long, while a fault
// comes every few seconds, and holds it to what it has needed in the beginning: memory,
// goroutines, connections and file descriptors.
package soak

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/child"
	"github.com/seed-a1d591d3/leadership/faults/stage"
)

// Config is what a soak does.
type Config struct {
	Duration time.Duration
	Every    time.Duration // between the begins of two faults
	Sample   time.Duration // between two samples
	TTL      time.Duration
	Seed     uint64
	Stores   []string // names of stage.Kinds

	// Worker is the command of a process that calls Work, without its arguments.
	Worker []string

	// Samples is the CSV file that the samples are written to, one by one.
	Samples string

	Log io.Writer // of the faults
}

// Do soaks, and returns the samples. It blocks until the duration is over, or ctx ends, and
// all that it has started has ended.
func Do(ctx context.Context, c Config) (_ []Sample, err error) {
	var places []*place
	defer func() {
		for _, p := range places {
			err = errors.Join(err, p.end())
		}
	}()
	args := []string{"-ttl", c.TTL.String(), "-sample", c.Sample.String()}
	for _, name := range c.Stores {
		p, err := open(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("soak: start %s: %w", name, err)
		}
		places = append(places, p)
		args = append(args, name+"="+strings.Join(p.urls, " "))
	}
	ctx, cancel := context.WithTimeout(ctx, c.Duration)
	defer cancel()
	worker := exec.CommandContext(context.Background(), c.Worker[0], append(c.Worker[1:len(c.Worker):len(c.Worker)], args...)...)
	worker.Stderr = os.Stderr
	out, err := worker.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("soak: %w", err)
	}
	in, err := worker.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("soak: %w", err)
	}
	wait, err := child.Start(worker)
	if err != nil {
		return nil, fmt.Errorf("soak: %w", err)
	}
	struck := make(chan struct{})
	faults := &schedule{Config: c, places: places, worker: worker.Process, dice: rand.New(rand.NewPCG(c.Seed, 0))}
	go func() {
		defer close(struck)
		faults.strike(ctx)
	}()
	context.AfterFunc(ctx, func() {
		<-struck       // it is not halted then
		_ = in.Close() // which ends the worker
	})
	samples, err := read(out, c.Samples, faults)
	if err != nil {
		cancel()
	}
	if errWait := wait(); errWait != nil {
		err = errors.Join(err, fmt.Errorf("soak: worker: %w", errWait))
	}
	cancel()
	<-struck
	return samples, err
}

// read reads the samples of the worker, and writes them to a file.
func read(out io.Reader, path string, faults *schedule) (samples []Sample, err error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := fmt.Fprintln(file, header); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		s, err := parse(lines.Text())
		if err != nil {
			return samples, err
		}
		s.Faults = faults.count.Load()
		if samples = append(samples, s); s.Overlaps > 0 {
			err = fmt.Errorf("soak: two candidates have led at once, %d times", s.Overlaps)
		}
		if _, errWrite := fmt.Fprintln(file, s); errWrite != nil || err != nil {
			return samples, errors.Join(errWrite, err)
		}
	}
	return samples, lines.Err()
}

// Stores are the names of all stores that a soak has by default: each with one server.
func Stores() (names []string) {
	for _, k := range stage.Kinds {
		switch k.Name {
		case "etcd", "consul", "zookeeper", "redis", "postgres", "sqlite":
			names = append(names, k.Name)
		}
	}
	return append(names, memoryStore)
}

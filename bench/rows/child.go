package rows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/bench/work"
	"github.com/seed-a1d591d3/leadership/faults/child"
)

// process is a child that does a task.
type process struct {
	cmd     *exec.Cmd
	reports chan work.Report
	in      io.Closer
	failed  strings.Builder // what it has said last, to be read once it has ended

	once sync.Once
	wait func() error
	err  error
}

// start starts a child with a task.
func (b *Bench) start(t work.Task) (*process, error) {
	text, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	p := &process{reports: make(chan work.Report, 1<<12)}
	p.cmd = exec.Command(b.Child[0], append(b.Child[1:len(b.Child):len(b.Child)], string(text))...) //nolint:noctx // end ends it
	p.cmd.Stderr = &p.failed
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.in = in
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if p.wait, err = child.Start(p.cmd); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.reports)
		for decoder := json.NewDecoder(out); ; {
			var r work.Report
			if decoder.Decode(&r) != nil {
				return
			}
			p.reports <- r
		}
	}()
	return p, nil
}

// next returns what the child tells next.
func (p *process) next(ctx context.Context) (work.Report, error) {
	select {
	case r, ok := <-p.reports:
		if !ok {
			err := p.end()
			if said := strings.TrimSpace(p.failed.String()); said != "" {
				lines := strings.Split(said, "\n")
				line := lines[len(lines)-1]
				if i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "panic: ") }); i >= 0 {
					line = lines[i]
				}
				err = errors.New(line)
			}
			if err == nil {
				err = errors.New("it has told nothing")
			}
			return r, err
		}
		return r, nil
	case <-ctx.Done():
		return work.Report{}, context.Cause(ctx)
	}
}

// kill kills the child, as kill -9 does.
func (p *process) kill() { _ = p.cmd.Process.Kill() }

// end ends the child, which has a second to do so by itself, and waits for that.
func (p *process) end() error {
	p.once.Do(func() {
		_ = p.in.Close()
		go func() {
			for range p.reports { // what it still tells
			}
		}()
		late := time.AfterFunc(time.Second, p.kill)
		p.err = p.wait()
		late.Stop()
	})
	return p.err
}

// do has a child do a task that ends by itself, and returns its samples.
func (b *Bench) do(ctx context.Context, t work.Task) (map[string][]float64, error) {
	p, err := b.start(t)
	if err != nil {
		return nil, err
	}
	defer p.kill()
	r, err := p.next(ctx)
	if err != nil {
		return nil, err
	}
	_ = p.end()
	if r.Samples == nil {
		return nil, fmt.Errorf("a child has told %+v", r)
	}
	return r.Samples, nil
}

// Self returns the command of this program, of which a child is made by Child.
func Self(args ...string) ([]string, error) {
	path, err := os.Executable()
	return append([]string{path}, args...), err
}

package run

import (
	"errors"
	"slices"
	"sync"

	"github.com/seed-a1d591d3/leadership/faults/stage"
)

// pool has the stages that runs use: those whose fault strikes the servers have one alone,
// all others share one.
type pool struct {
	mu     sync.Mutex
	stages []*pooled
}

type pooled struct {
	kind    *stage.Kind
	variant stage.Variant
	shared  bool
	users   int

	started chan struct{} // closed when stage or err is there
	stage   *stage.Stage
	err     error
}

// take returns a stage, and starts it if there is none that is free.
func (p *pool) take(k *stage.Kind, v stage.Variant, shared bool) (*pooled, error) {
	p.mu.Lock()
	i := slices.IndexFunc(p.stages, func(s *pooled) bool {
		return s.kind == k && s.variant == v && s.shared == shared && (shared || s.users == 0)
	})
	if i >= 0 {
		s := p.stages[i]
		s.users++
		p.mu.Unlock()
		<-s.started
		return s, s.err
	}
	s := &pooled{kind: k, variant: v, shared: shared, users: 1, started: make(chan struct{})}
	p.stages = append(p.stages, s)
	p.mu.Unlock()
	s.stage, s.err = stage.Start(k, v)
	close(s.started)
	return s, s.err
}

// give ends the use of a stage, and ends it if it is spoiled or idle and not to be kept.
func (p *pool) give(s *pooled, spoiled bool) error {
	p.mu.Lock()
	s.users--
	if spoiled || s.err != nil {
		p.stages = slices.DeleteFunc(p.stages, func(other *pooled) bool { return other == s })
	}
	gone := s.users == 0 && !slices.Contains(p.stages, s)
	p.mu.Unlock()
	if gone && s.stage != nil {
		return s.stage.End()
	}
	return nil
}

// trim ends the stages that nobody uses and whose kind is not needed any more.
func (p *pool) trim(needed func(s *pooled) bool) error {
	p.mu.Lock()
	var idle []*pooled
	p.stages = slices.DeleteFunc(p.stages, func(s *pooled) bool {
		if s.users > 0 || needed(s) {
			return false
		}
		idle = append(idle, s)
		return true
	})
	p.mu.Unlock()
	errs := make([]error, len(idle))
	var ending sync.WaitGroup
	for i, s := range idle {
		if s.stage != nil {
			ending.Go(func() { errs[i] = s.stage.End() })
		}
	}
	ending.Wait()
	return errors.Join(errs...)
}

package service

import (
	"context"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/history"
	"github.com/seed-a1d591d3/leadership/store"
)

const (
	// probeEvery is how often the servers and the store are asked something simple, and
	// probeLimit how long that may take where all is sound: on a machine that has other
	// things to do nobody can be held to a time.
	probeEvery = 100 * time.Millisecond
	probeLimit = 300 * time.Millisecond
)

// span is an interval of time.
type span struct{ from, to history.Stamp }

// probe asks the servers and the store, and takes note of when they, or this process, are
// slow. An error is not slow. It returns when ctx has ended.
func (r *run) probe(ctx context.Context) {
	kv, err := store.Open(ctx, r.stage.URL(r.stage.Hosts))
	if err != nil {
		r.slow = []span{{0, math.MaxInt64}} // as far as is known nothing was sound
		return
	}
	defer kv.Close()
	probes := []func(context.Context){func(ctx context.Context) { _, _ = kv.Get(ctx, "service/probe", nil) }}
	for _, s := range r.servers {
		probes = append(probes, func(ctx context.Context) {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addr+"/alive", nil)
			if err != nil {
				return
			}
			if answer, err := r.http.Do(request); err == nil {
				answer.Body.Close()
			}
		})
	}
	var all sync.WaitGroup
	for ctx.Err() == nil {
		from := history.Now()
		for _, p := range probes {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(ctx, 10*probeLimit)
				defer cancel()
				p(ctx)
			})
		}
		all.Wait()
		rest(ctx, probeEvery)
		if to := history.Now(); to.Sub(from) > probeEvery+probeLimit {
			r.slow = append(r.slow, span{from, to})
		}
	}
}

// without returns what is left of intervals without some spans, which are in order.
func without(sound []history.Line, slow []span) (left []history.Line) {
	for _, s := range sound {
		for _, cut := range slow {
			if cut.to <= s.Before || cut.from >= s.After {
				continue
			}
			if cut.from > s.Before {
				before := s
				before.After = cut.from
				left = append(left, before)
			}
			s.Before = min(cut.to, s.After)
		}
		if s.Before < s.After {
			left = append(left, s)
		}
	}
	return slices.Clip(left)
}

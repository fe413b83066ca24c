package run

import (
	"math/rand/v2"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/servers"
)

// Faults that are of no interest but for workers in which a rule is broken: they bring it
// to light.
var (
	// SlowThenHeld has answers come late by less than a call may take, and by more than the
	// margin, and then no request arrive: trust that runs from the reply reaches into the
	// time of the next leader.
	SlowThenHeld = &Fault{
		Name: "slow-then-held", About: "answers come late, and then no request arrives any more",
		Library: true, On: proxied, Lasts: [2]float64{1.5, 1.5}, Episodes: 4, TTL: 2 * time.Second,
		Begin: func(e *Episode) {
			e.Victim.setFlow(servers.Flow{Delay: e.TTL * 28 / 100}, servers.Down)
			time.Sleep(e.TTL)
			e.Victim.setFlow(servers.Flow{Hold: true}, servers.Up)
		},
		End: release,
	}

	// DeafHeld has nothing pass for long, while no call of the store returns.
	DeafHeld = &Fault{
		Name: "deaf-held", About: "nothing passes for long, and the store ignores that its calls are given up",
		Library: true, On: proxied, Lasts: [2]float64{60, 60}, Episodes: 1,
		Set: func(r *Run, _ *rand.Rand) {
			for _, n := range r.Nodes {
				n.Deaf = true
			}
		},
		Begin: func(e *Episode) { e.Victim.setFlow(servers.Flow{Hold: true}, servers.Up, servers.Down) },
		End:   release,
	}

	// ResignedAtWork has a leader resign whose work takes its time to end.
	ResignedAtWork = &Fault{
		Name: "resigned-at-work", About: "a leader resigns, whose work goes on for a quarter of the TTL",
		Library: true, Lasts: [2]float64{0.5, 0.5}, Episodes: 6, TTL: 2 * time.Second,
		Set: func(r *Run, _ *rand.Rand) {
			for _, n := range r.Nodes {
				n.Wind = r.TTL / 4
			}
		},
		Begin: func(e *Episode) { e.Victim.Order("resign") },
	}
)

package run

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/stage"
	"github.com/seed-a1d591d3/leadership/internal/servers"
)

var workerFaults = []*Fault{
	{
		Name: "worker-killed", About: "a process is killed with -9, and started again", HTTP: true,
		Lasts: [2]float64{0, 2.5},
		Begin: func(e *Episode) { e.Victim.Kill() },
		End:   func(e *Episode) { e.must(e.Victim.Start()) },
	},
	{
		Name: "worker-stopped", About: "a process is halted with SIGSTOP",
		Lasts: [2]float64{0.3, 3}, Episodes: 4,
		Begin: func(e *Episode) { e.Victim.process.signal(syscall.SIGSTOP, false) },
		End:   func(e *Episode) { e.Victim.process.signal(syscall.SIGCONT, false) },
	},
	{
		Name: "group-stopped", About: "a process group is halted with SIGSTOP",
		Lasts: [2]float64{0.3, 3}, Episodes: 4,
		Begin: func(e *Episode) { e.Victim.process.signal(syscall.SIGSTOP, true) },
		End:   func(e *Episode) { e.Victim.process.signal(syscall.SIGCONT, true) },
	},
	clocks("clock-fast", "half of the clocks are 10 % fast, and processes are halted", 1.1),
	clocks("clock-slow", "half of the clocks are 10 % slow, and processes are halted", 0.9),
	wall("wall-forward", "the wall clock of a process is set forward, by a second to an hour", 1),
	wall("wall-back", "the wall clock of a process is set back, by a second to an hour", -1),
}

func clocks(name, about string, rate float64) *Fault {
	return &Fault{
		Name: name, About: about, Library: true,
		Lasts: [2]float64{0.5, 2.5}, Episodes: 4,
		Set: func(r *Run, dice *rand.Rand) {
			ownClocks(r, dice)
			for i, n := range r.Nodes {
				if (i%2 == int(r.Seed%2) || dice.IntN(8) == 0) && n.Clock {
					n.Rate = rate
				}
			}
		},
		Begin: func(e *Episode) { e.Victim.process.signal(syscall.SIGSTOP, false) },
		End:   func(e *Episode) { e.Victim.process.signal(syscall.SIGCONT, false) },
	}
}

func wall(name, about string, sign int) *Fault {
	return &Fault{
		Name: name, About: about, Library: true,
		Lasts: [2]float64{0.2, 1.5}, Episodes: 4,
		Set: ownClocks,
		Begin: func(e *Episode) {
			seconds := sign << e.Rand.IntN(12)
			e.Victim.Order(fmt.Sprintf("wall %v", time.Duration(seconds)*time.Second))
		},
	}
}

// ownClocks gives the nodes that use the library clocks of their own.
func ownClocks(r *Run, _ *rand.Rand) {
	for _, n := range r.Nodes {
		n.Clock = n.library()
	}
}

// proxied reports whether a proxy can stand between a store and its clients.
func proxied(k *stage.Kind) bool { return !k.Direct }

var networkFaults = []*Fault{
	blackhole("requests-held", "what a process sends is held back, and arrives late", servers.Up),
	blackhole("answers-held", "what the servers answer a process is held back, and arrives late", servers.Down),
	blackhole("network-held", "what goes either way is held back, and arrives late", servers.Up, servers.Down),
	{
		Name: "network-cut", About: "the connections of a process are cut, and no new ones can be made",
		On: proxied, HTTP: true, Lasts: [2]float64{0, 2},
		Begin: func(e *Episode) {
			for _, p := range e.Victim.Proxies {
				p.Stop()
			}
		},
		End: func(e *Episode) {
			for _, p := range e.Victim.Proxies {
				p.Start()
			}
		},
	},
	{
		Name: "network-slow", About: "a process's requests and answers are delayed, by up to a TTL each, with jitter",
		On: proxied, HTTP: true, Lasts: [2]float64{1, 4},
		Begin: func(e *Episode) {
			half := time.Duration(e.Rand.Float64() * float64(e.TTL) / 2)
			e.Victim.setFlow(servers.Flow{Delay: half, Jitter: half}, servers.Up, servers.Down)
		},
		End: release,
	},
	{
		Name: "network-trickles", About: "1 to 20 bytes go through in 10 ms, each way",
		On: proxied, HTTP: true, Lasts: [2]float64{1, 4},
		Begin: func(e *Episode) {
			e.Victim.setFlow(servers.Flow{Trickle: 1 + e.Rand.IntN(20)}, servers.Up, servers.Down)
		},
		End: release,
	},
}

func blackhole(name, about string, ways ...servers.Way) *Fault {
	return &Fault{
		Name: name, About: about, On: proxied, HTTP: true, Lasts: [2]float64{0.3, 3},
		Begin: func(e *Episode) { e.Victim.setFlow(servers.Flow{Hold: true}, ways...) },
		End:   release,
	}
}

func release(e *Episode) { e.Victim.setFlow(servers.Flow{}, servers.Up, servers.Down) }

package run

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/stage"
)

// Scope is what a fault strikes.
type Scope int

// The scopes. Only a run with a fault of Servers needs servers of its own.
const (
	One     Scope = iota // one node, or its network
	Record               // the record of the election
	Servers              // the servers
)

// Fault is one kind of fault.
type Fault struct {
	Name, About string

	Scope   Scope
	Library bool          // strikes only nodes that use the library, not `leadership run`
	Variant stage.Variant // of the servers that it needs
	Spoils  bool          // the servers cannot be used again

	// Lasts is from how many to how many TTLs an episode lasts, and Episodes how many there
	// are; 0 means three.
	Lasts    [2]float64
	Episodes int

	// TTL is what the TTL has to be at least.
	TTL time.Duration

	// On reports whether it can strike a store; nil means every one.
	On func(k *stage.Kind) bool

	// HTTP means that it strikes stores of HTTP too, where On reports so.
	HTTP bool

	// Lost means that the store loses what it has acknowledged, so that an overlap is
	// expected. The fence has to hold all the same.
	Lost bool

	// Forgets means that the store goes back or is emptied, so that a round may be won again.
	Forgets bool

	// Set, if not nil, is called before the nodes start. End may be nil.
	Set   func(r *Run, dice *rand.Rand)
	Begin func(e *Episode)
	End   func(e *Episode)
}

func (f *Fault) episodes() int {
	if f.Episodes == 0 {
		return 3
	}
	return f.Episodes
}

// Strikes reports whether there is a cell of the fault and a store.
func (f *Fault) Strikes(k *stage.Kind) bool {
	if f.Variant != stage.Plain && !slices.Contains(k.Variants, f.Variant) {
		return false
	}
	return (f.HTTP || !k.HTTP) && (f.On == nil || f.On(k))
}

// ttl returns the TTL of runs that would have this one.
func (f *Fault) ttl(ttl time.Duration) time.Duration { return max(ttl, f.TTL) }

// Faults are all there are.
var Faults = slices.Concat(workerFaults, networkFaults, recordFaults, serverFaults, ensembleFaults, redisFaults, postgresFaults)

// FindFault returns the fault of that name, or nil.
func FindFault(name string) *Fault {
	for _, f := range Faults {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// on returns a function that reports whether a store is one of these.
func on(names ...string) func(*stage.Kind) bool {
	return func(k *stage.Kind) bool { return slices.Contains(names, k.Name) }
}

// singles are the stores that are one server.
var singles = []string{"etcd", "consul", "zookeeper", "redis", "postgres", "pgbouncer", "memory"}

package run

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/stage"
	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/servers"
)

var redisFaults = []*Fault{
	{
		Name: "flushall", About: "FLUSHALL", Scope: Servers, Forgets: true, On: on("redis", "redis-sentinel"), Lasts: [2]float64{0.5, 1.5},
		Begin: func(e *Episode) {
			e.awaitKnown()
			e.master().AskRedis("FLUSHALL")
		},
	},
	{
		Name: "flushall-lost", About: "FLUSHALL while the leader does not reach the server, and a process is started that has never seen the record",
		Scope: Servers, On: on("redis"), Lasts: [2]float64{1, 1}, Episodes: 2, TTL: 4 * time.Second, Lost: true,
		Begin: func(e *Episode) { e.lose(func() { e.master().AskRedis("FLUSHALL") }) },
		End:   (*Episode).dismiss,
	},
	{
		Name: "failover", About: "the master is killed once the replica has all writes, and Sentinel, or the Cluster, makes the replica take over", Scope: Servers,
		On: on("redis-sentinel", "redis-cluster"), Spoils: true, Lasts: [2]float64{0.5, 1}, Episodes: 1,
		Begin: func(e *Episode) {
			master := e.master()
			master.AskRedis("CLIENT PAUSE 30000 WRITE")
			e.awaitReplica(master)
			master.Stop()
			e.awaitMaster(master)
		},
	},
	{
		Name: "failover-lost", About: "the master is killed, and the replica that takes over lacks the leader's claim", Scope: Servers,
		On: on("redis-sentinel"), Spoils: true, Lost: true, TTL: 12 * time.Second, Lasts: [2]float64{0.5, 0.5}, Episodes: 1,
		Set: func(r *Run, _ *rand.Rand) { r.Stage.Sentinel.Replica.Freeze() },
		Begin: func(e *Episode) {
			e.lose(func() {
				e.Stage.Sentinel.Master.Stop()
				e.Stage.Sentinel.Replica.Thaw()
				e.awaitMaster(e.Stage.Sentinel.Master)
			})
		},
		End: (*Episode).dismiss,
	},
	{
		Name: "reshard", About: "the slot of the key is moved to another master of the Cluster", Scope: Servers, On: on("redis-cluster"), Lasts: [2]float64{0.3, 1.5},
		Begin: func(e *Episode) { e.Stage.MoveSlot(e.Key) },
	},
}

// master returns the server that takes writes of the key.
func (r *Run) master() *servers.Server {
	if r.Stage.Cluster != nil {
		return r.Stage.Cluster[r.Stage.SlotOwner(r.Key)]
	}
	for _, s := range r.Stage.Servers {
		if !s.Stopped() && strings.Contains(s.AskRedis("ROLE"), "\r\nmaster\r\n") {
			return s
		}
	}
	stage.Fail(errors.New("no server is the master"))
	return nil
}

// awaitReplica waits until the replica of a master has all that this has.
func (e *Episode) awaitReplica(master *servers.Server) {
	for began := time.Now(); ; {
		info := master.AskRedis("INFO replication")
		_, has, _ := strings.Cut(info, "master_repl_offset:")
		has, _, _ = strings.Cut(has, "\r\n")
		if strings.Contains(info, ",state=online,offset="+has+",") {
			return
		}
		if time.Since(began) > callLimit {
			e.must(fmt.Errorf("the replica does not catch up: %s", info))
		}
		e.must(clock.Pause(e.ctx, 5*time.Millisecond))
	}
}

// awaitMaster waits until another server than that one takes writes of the key.
func (e *Episode) awaitMaster(former *servers.Server) {
	for began := time.Now(); ; {
		var now *servers.Server
		err := stage.Try(func() { now = e.master() })
		if err == nil && now != former {
			return
		}
		if time.Since(began) > 30*time.Second {
			e.must(errors.Join(errors.New("no other server takes over within 30s"), err))
		}
		e.must(clock.Pause(e.ctx, 10*time.Millisecond))
	}
}

package run

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/stage"
	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/servers"
)

// first is the server of a store that has one.
func (r *Run) first() *servers.Server { return r.Stage.Servers[0] }

var serverFaults = []*Fault{
	{
		Name: "server-frozen", About: "the server is halted with SIGSTOP", Scope: Servers, On: on(singles...), HTTP: true,
		Lasts: [2]float64{0.3, 3},
		Begin: func(e *Episode) { e.first().Freeze() },
		End:   func(e *Episode) { e.first().Thaw() },
	},
	{
		Name: "server-killed", About: "the server is killed with -9, and started again later", Scope: Servers, On: on(singles...),
		Lasts: [2]float64{0.2, 2},
		Begin: func(e *Episode) { e.first().Stop() },
		End:   func(e *Episode) { e.first().Start() },
	},
	{
		Name: "server-restarted", About: "the server is killed with -9, and started again at once", Scope: Servers, On: on(singles...),
		Lasts: [2]float64{0, 0.5},
		Begin: func(e *Episode) { e.first().Restart() },
	},
	{
		Name: "memory-lost", About: "the server, which keeps all in memory, is killed and started again while the leader does not reach it, and a process is started",
		Scope: Servers, On: on("memory"), HTTP: true, Lasts: [2]float64{1, 1}, Episodes: 2, TTL: 4 * time.Second, Lost: true,
		Begin: func(e *Episode) { e.lose(e.first().Restart) },
		End:   (*Episode).dismiss,
	},
	{
		Name: "data-restored", About: "the server is started with data that it had before", Scope: Servers, Spoils: true, Forgets: true,
		On:    on("etcd", "consul", "zookeeper", "redis", "postgres"),
		Lasts: [2]float64{0.5, 1}, Episodes: 2,
		Begin: func(e *Episode) {
			if e.Number == 0 {
				e.first().Save()
				return
			}
			e.awaitKnown()
			e.first().Restore()
		},
	},
	{
		Name: "snapshot-restored", About: "a snapshot is restored while the server runs", Scope: Servers, Spoils: true, Forgets: true, On: on("consul"),
		Lasts: [2]float64{0.3, 1.5},
		Begin: func(e *Episode) {
			if e.Number > 0 {
				e.awaitKnown()
				e.snapshot(http.MethodPut, e.state.([]byte))
			}
			e.state = e.snapshot(http.MethodGet, nil)
		},
	},
	{
		Name: "file-locked", About: "another process holds the lock of the file", Scope: Servers, On: on("sqlite"), Lasts: [2]float64{0.3, 3},
		Begin: func(e *Episode) {
			unlock, err := lockFile(e.ctx, e.Stage.File)
			e.must(err)
			e.healed = unlock
		},
		End: func(e *Episode) {
			if e.healed != nil {
				e.healed()
			}
		},
	},
	{
		Name: "disk-full", About: "no room is left on the server's disk; later there is, and the server is started anew", Scope: Servers, Spoils: true,
		Variant: stage.Small, Lasts: [2]float64{1, 3}, Episodes: 2,
		Begin: func(e *Episode) { e.Stage.Disk.Fill() },
		End: func(e *Episode) {
			e.Stage.Disk.Free()
			for _, s := range e.Stage.Servers {
				s.Restart()
			}
		},
	},
	{
		Name: "certificates-rotated", About: "all certificates are replaced by those of another authority", Scope: Servers, Variant: stage.Secure,
		Lasts: [2]float64{0.5, 1.5}, Episodes: 2,
		Begin: func(e *Episode) { e.Stage.Rotate() },
	},
	{
		Name: "password-rotated", About: "the password is replaced; the former one is refused", Scope: Servers, Variant: stage.Secure, Spoils: true,
		Lasts: [2]float64{0.5, 1.5}, Episodes: 1,
		Begin: func(e *Episode) { e.must(e.Stage.NewPassword()) },
	},
}

// lockFile locks the file of a SQLite database, and returns what unlocks it. The program
// has to have the driver.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	for _, statement := range []string{"PRAGMA busy_timeout = 5000", "BEGIN EXCLUSIVE"} {
		if err == nil {
			_, err = conn.ExecContext(context.WithoutCancel(ctx), statement)
		}
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return func() {
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		conn.Close()
		db.Close()
	}, nil
}

// snapshot takes or restores a snapshot of a Consul.
func (e *Episode) snapshot(method string, body []byte) []byte {
	ctx, cancel := context.WithTimeout(e.ctx, callLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://"+e.first().Addr+"/v1/snapshot", bytes.NewReader(body))
	e.must(err)
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	e.must(err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	e.must(err)
	if response.StatusCode != http.StatusOK {
		e.must(fmt.Errorf("%s: %s", response.Status, content))
	}
	return content
}

// halt stops or freezes members, and revive starts or thaws them again.
func (e *Episode) halt(members ...int) {
	frozen := e.Rand.IntN(2) == 0
	e.state = halted{members, frozen}
	for _, i := range members {
		if frozen {
			e.Stage.Servers[i].Freeze()
		} else {
			e.Stage.Servers[i].Stop()
		}
	}
}

type halted struct {
	members []int
	frozen  bool
}

func (e *Episode) revive() {
	h := e.state.(halted)
	for _, i := range h.members {
		if h.frozen {
			e.Stage.Servers[i].Thaw()
		} else {
			e.Stage.Servers[i].Start()
		}
	}
	e.Stage.Ensemble.Await()
}

var ensembleFaults = []*Fault{
	{
		Name: "member-lost", About: "one member is killed or halted", Scope: Servers, On: on("etcd3", "zookeeper3"), Lasts: [2]float64{0.5, 3},
		Begin: func(e *Episode) { e.halt(e.Rand.IntN(len(e.Stage.Servers))) },
		End:   (*Episode).revive,
	},
	{
		Name: "leader-lost", About: "the member that leads the others is killed or halted", Scope: Servers, On: on("etcd3", "zookeeper3"), Lasts: [2]float64{0.5, 3},
		Begin: func(e *Episode) { e.halt(e.Stage.Ensemble.Leader()) },
		End:   (*Episode).revive,
	},
	{
		Name: "quorum-lost", About: "two of three members are killed or halted", Scope: Servers, On: on("etcd3", "zookeeper3"), Lasts: [2]float64{0.5, 3},
		Begin: func(e *Episode) {
			spared := e.Rand.IntN(3)
			e.halt((spared+1)%3, (spared+2)%3)
		},
		End: (*Episode).revive,
	},
	{
		Name: "membership-changed", About: "a member is removed, and another one added", Scope: Servers, On: on("etcd3", "zookeeper3"), Spoils: true,
		Lasts: [2]float64{0.5, 1.5}, Episodes: 1,
		Begin: func(e *Episode) { e.Stage.Ensemble.Replace(e.Rand.IntN(3)) },
	},
}

var postgresFaults = []*Fault{
	{
		Name: "backends-terminated", About: "all sessions of clients are ended", Scope: Servers,
		On: on("postgres", "pgbouncer", "postgres-sync", "postgres-async"), Lasts: [2]float64{0, 1}, Episodes: 5,
		Begin: func(e *Episode) {
			if s := e.Stage.Postgres; s != nil {
				s.TerminateBackends()
			} else {
				e.first().TerminateBackends()
			}
		},
	},
	{
		Name: "database-restarted", About: "the PostgreSQL behind PgBouncer is killed, and started again", Scope: Servers, On: on("pgbouncer"),
		Lasts: [2]float64{0, 1},
		Begin: func(e *Episode) { e.Stage.Postgres.Restart() },
	},
	{
		Name: "failover-sync", About: "the primary is killed, while the standby lags or not, and the synchronous standby is promoted", Scope: Servers, Spoils: true,
		On: on("postgres-sync"), Lasts: [2]float64{1, 2}, Episodes: 1,
		Begin: func(e *Episode) {
			if e.Rand.IntN(2) == 0 {
				e.Stage.Pair.Cut() // what is written from now on is not acknowledged
				e.must(clock.Pause(e.ctx, time.Duration(e.Rand.Float64()*float64(e.TTL))))
			}
			e.Stage.Pair.Primary.Stop()
			e.Stage.Pair.Promote()
		},
	},
	{
		Name: "failover-async", About: "the primary is killed, and the asynchronous standby, which has all, is promoted", Scope: Servers, Spoils: true, Forgets: true,
		On: on("postgres-async"), Lasts: [2]float64{1, 2}, Episodes: 1,
		Begin: func(e *Episode) {
			e.Stage.Pair.Heal()
			e.Stage.Pair.Primary.Stop()
			e.Stage.Pair.Promote()
		},
	},
	{
		Name: "failover-async-lost", About: "the primary is killed, and the asynchronous standby, which lacks the leader's claim, is promoted",
		Scope: Servers, Spoils: true, Lost: true, TTL: 10 * time.Second,
		On: on("postgres-async"), Lasts: [2]float64{0.5, 0.5}, Episodes: 1,
		Set: func(r *Run, _ *rand.Rand) { r.Stage.Pair.Cut() },
		Begin: func(e *Episode) {
			e.lose(func() {
				e.Stage.Pair.Primary.Stop()
				e.Stage.Pair.Promote()
			})
		},
		End: (*Episode).dismiss,
	},
}

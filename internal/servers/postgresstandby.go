package servers

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// PostgresPair is a PostgreSQL with a standby. If that is synchronous, a write is
// acknowledged when both have it on disk.
type PostgresPair struct {
	Primary, Standby *Server

	t    testing.TB
	sync string // the state of the standby: sync or async
	link *Proxy // what the standby reaches the primary by
	cut  bool
}

// PostgresWithStandby starts a PostgreSQL and its synchronous standby for t, which
// ends them.
func PostgresWithStandby(t testing.TB) *PostgresPair {
	t.Helper()
	return postgresPair(t, "sync", "standby")
}

// PostgresWithAsyncStandby is PostgresWithStandby where a write is acknowledged when the
// primary has it: the standby may lack it.
func PostgresWithAsyncStandby(t testing.TB) *PostgresPair {
	t.Helper()
	return postgresPair(t, "async", "")
}

func postgresPair(t testing.TB, state, synchronous string) *PostgresPair {
	t.Helper()
	primary := postgresKind
	primary.command = func(s *Server) *exec.Cmd {
		cmd := postgresKind.command(s)
		cmd.Args = append(cmd.Args, "-c", "synchronous_standby_names="+synchronous, "-c", "wal_sender_timeout=1s")
		return cmd
	}
	pair := &PostgresPair{t: t, sync: state, Primary: startOther(t, primary)}
	pair.link = NewProxy(t, pair.Primary.hostport(0))
	host, port, _ := net.SplitHostPort(pair.link.Addr)
	source := fmt.Sprintf("host=%s port=%s user=postgres sslmode=disable application_name=standby", host, port)

	standby := postgresKind
	standby.setup = func(s *Server) error {
		if err := os.Mkdir(s.path("data"), 0o700); err != nil {
			return err
		}
		if err := giveToPostgres(s.path("data")); err != nil {
			return err
		}
		backup := exec.Command(filepath.Join(filepath.Dir(s.program), "pg_basebackup"),
			"-D", s.path("data"), "-d", source, "--checkpoint=fast", "--wal-method=stream", "--no-sync", "--write-recovery-conf")
		backup.Dir = s.path("data")
		if err := asPostgres(backup); err != nil {
			return err
		}
		if out, err := backup.CombinedOutput(); err != nil {
			return fmt.Errorf("pg_basebackup: %w\n%s", err, out)
		}
		return nil
	}
	standby.command = func(s *Server) *exec.Cmd {
		cmd := postgresKind.command(s)
		cmd.Args = append(cmd.Args, "-c", "wal_retrieve_retry_interval=100ms", "-c", "wal_receiver_timeout=1s")
		return cmd
	}
	pair.Standby = startOther(t, standby)
	pair.await()
	return pair
}

// Cut cuts the standby off: the primary acknowledges no write until Heal, if that is synchronous.
func (p *PostgresPair) Cut() {
	p.link.Stop()
	p.cut = true
}

// Heal makes the standby come back after Cut, and waits until it has caught up.
func (p *PostgresPair) Heal() {
	p.t.Helper()
	if p.cut {
		p.link.Start()
		p.cut = false
	}
	p.await()
}

// await waits until the standby has all that the primary has.
func (p *PostgresPair) await() {
	p.t.Helper()
	eventually(p.t, "the standby streams", func(ctx context.Context) error {
		answer, err := queryPostgres(ctx, p.Primary.hostport(0),
			"SELECT 'it is ' || sync_state FROM pg_stat_replication WHERE state = 'streaming' AND replay_lsn = pg_current_wal_lsn()")
		if err == nil && !strings.Contains(answer, "it is "+p.sync) {
			err = fmt.Errorf("%q", answer)
		}
		return err
	})
}

// Promote makes the standby a primary, and returns when it takes writes.
func (p *PostgresPair) Promote() {
	p.t.Helper()
	eventually(p.t, "the standby is promoted", func(ctx context.Context) error {
		answer, err := queryPostgres(ctx, p.Standby.hostport(0), "SELECT CASE WHEN pg_is_in_recovery() THEN pg_promote() END, 'in recovery: ' || pg_is_in_recovery()")
		if err == nil && !strings.Contains(answer, "in recovery: false") {
			err = fmt.Errorf("%q", answer)
		}
		return err
	})
}

// Hosts returns where the two are, host:port each, for a URL of both.
func (p *PostgresPair) Hosts() string { return p.Primary.hostport(0) + "," + p.Standby.hostport(0) }

// queryPostgres runs a statement and returns all that the server answers.
func queryPostgres(ctx context.Context, addr, statement string) (string, error) {
	query := binary.BigEndian.AppendUint32([]byte{'Q'}, uint32(4+len(statement)+1))
	return sessionPostgres(ctx, addr, string(query)+statement+"\x00")
}

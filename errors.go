package leadership

import (
	"errors"
	"fmt"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/indexes"
	"github.com/seed-a1d591d3/leadership/store"
)

// The errors that callers decide on. Those that reach a caller are wrapped
// with the operation and the key; use errors.Is.
var (
	// ErrInvalidArgument means that a constructor was given a value that it
	// cannot take. The message names the argument, the value and the rule.
	ErrInvalidArgument = errors.New("invalid argument")

	// ErrForeignRecord means that what is stored under the key is no record of
	// this library, or one of a format that it does not know. It is never
	// overwritten. Candidates and followers report it and look again later.
	ErrForeignRecord = errors.New("foreign record")

	// ErrUnsafeStore means that the store does not compare and swap: the index
	// that a write returned is not the index that a read finds. It ends a
	// campaign, for trying again cannot mend it.
	ErrUnsafeStore = errors.New("unsafe store")

	// ErrRunning means that the candidate is campaigning in Run or RunForSignals, and can be run
	// again only after that has returned; or that Run was called on a
	// candidate whose RunForElection has not ended.
	ErrRunning = errors.New("already running")

	// ErrNoLeader means that there is no leader to ask.
	ErrNoLeader = errors.New("no leader")

	// ErrNoElection means that there is no record of an election under the key.
	ErrNoElection = errors.New("no such election")

	// ErrHeld means that an election cannot be forgotten because its seat is held.
	ErrHeld = errors.New("the seat is held")

	// ErrPaused means that an operator has paused the election: resume it first.
	ErrPaused = errors.New("election paused")

	// ErrRecordLost means that the record of the term vanished from the store,
	// or was put back to an older one, while the leader could trust its claim.
	// The leader writes it again and leads on.
	ErrRecordLost = errors.New("record lost")
)

// The reasons why a term ended, as context.Cause of the context that its work
// was given tells them.
var (
	// ErrLost means that the term ended without the leader's doing: its claim
	// could not be renewed in time, or somebody else's record stands.
	ErrLost = errors.New("leadership lost")

	// ErrResigned means that the leader resigned, or that its work was done.
	ErrResigned = errors.New("leadership resigned")

	// ErrStopped means that the candidate was stopped.
	ErrStopped = errors.New("candidate stopped")

	// ErrRelinquished means that the leader handed over because its time was
	// up: WithRelinquishAfter or WithRelinquishSchedule.
	ErrRelinquished = errors.New("leadership relinquished")

	// ErrUnhealthy means that the leader gave up because its health check
	// failed: WithHealthCheck.
	ErrUnhealthy = errors.New("leader unhealthy")

	// ErrEvicted means that an operator asked the leader to resign, or to leave
	// the seat empty.
	ErrEvicted = errors.New("leader evicted")

	// ErrTransferred means that an operator asked the leader to hand over to
	// another node.
	ErrTransferred = errors.New("leadership transferred")
)

// The errors of a Round.
var (
	// ErrNotElected means that this node did not win the round and so cannot
	// complete it.
	ErrNotElected = errors.New("not elected")

	// ErrCompletedByOther means that another node has completed the round. The
	// message names it.
	ErrCompletedByOther = errors.New("completed by another node")

	// ErrSuperseded means that another attempt at the round has begun since, and
	// so this one cannot complete it. See WithAttemptTTL.
	ErrSuperseded = errors.New("attempt superseded")
)

// reasonOf returns what a record tells of a term that ended because of why.
func reasonOf(why error) election.Reason {
	switch {
	case errors.Is(why, ErrLost):
		return election.Expired
	case errors.Is(why, ErrEvicted):
		return election.Evicted
	case errors.Is(why, ErrUnhealthy):
		return election.Unhealthy
	case errors.Is(why, ErrRelinquished):
		return election.Relinquished
	case errors.Is(why, ErrTransferred):
		return election.Transferred
	}
	return election.Resigned
}

// foreign returns why a value is left alone, as an ErrForeignRecord; nil for nil.
func foreign(why error) error {
	if why == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrForeignRecord, why)
}

// reasonToEnd returns why the lease of a leader of that node is to end.
func reasonToEnd(e election.Event, node string) error {
	switch e.Cause {
	case election.ByRequest:
		return asked(e.Request, node)
	case election.ByHealth:
		return ErrUnhealthy
	case election.BySchedule:
		return ErrRelinquished
	case election.LostToForeign:
		return fmt.Errorf("%w: %w", ErrLost, ErrForeignRecord)
	case election.LostToCopy:
		return copied(e.Record)
	default:
		return fmt.Errorf("%w: the record is now of term %d", ErrLost, e.Record.Token)
	}
}

// copied is why a term ends that another process takes for its own.
func copied(rec election.Record) error {
	return fmt.Errorf("%w: the record of term %d is not as this process wrote it: it was put back to an older state, or is renewed by a copy of this machine",
		ErrLost, rec.Token)
}

// asked returns why a leader of that node is to go, and who asked for it, or nil if it
// may stay. a may be nil.
func asked(a *election.Request, node string) error {
	why := a.ReasonToGo(node)
	switch {
	case why == "":
		return nil
	case why == election.Transferred && a.By != "":
		return fmt.Errorf("%w to %q, as %q asked", ErrTransferred, a.To, a.By)
	case why == election.Transferred:
		return fmt.Errorf("%w to %q", ErrTransferred, a.To)
	case a.By != "":
		return fmt.Errorf("%w: %q asked it to %s", ErrEvicted, a.By, a.Do)
	}
	return fmt.Errorf("%w: it was asked to %s", ErrEvicted, a.Do)
}

// unsafeStore says what gave a store away, and what to do (S10).
func unsafeStore(key string, wrote, found *store.KVPair) error {
	return fmt.Errorf("leadership: put %q: %w: %s", key, ErrUnsafeStore, indexes.Explain(wrote, found))
}

// PanicError is the value that Run panics with when its work has panicked.
type PanicError struct {
	Value any    // what the work panicked with
	Stack []byte // of the goroutine of the work
}

// Error implements error.
func (e *PanicError) Error() string {
	return fmt.Sprintf("leadership: the work panicked: %v\n%s", e.Value, e.Stack)
}

// Unwrap returns the value, if that is an error, or nil.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

const (
	// firstReminder and lastReminder are how soon, and how late, after a failure
	// that goes on was logged it is logged again; each wait is twice the one before.
	firstReminder, lastReminder = 5 * time.Second, 10 * time.Minute
)

// outage is a row of failures, for the log: it tells of the first, and of those that
// go on at growing intervals, and of their end. Times are readings of the monotonic
// clock.
type outage struct {
	failing bool
	told    bool          // the log has been told of it
	op      string        // that failed last
	since   time.Duration // the first failure
	latest  time.Duration // the last one
	count   int
	next    time.Duration // no word of another before this
	wait    time.Duration // before the one after that
}

// failed takes note of a failure. It reports whether the log is to be told.
func (o *outage) failed(op string, now time.Duration) bool {
	if o.failing && now-o.latest > lastReminder {
		o.failing = false
	}
	if !o.failing {
		if o.wait == 0 || now-o.latest > 2*o.wait {
			o.next, o.wait = now, firstReminder
		}
		o.failing, o.told, o.since, o.count = true, false, now, 0
	}
	o.op, o.latest = op, now
	o.count++
	if now < o.next {
		return false
	}
	o.told, o.next = true, now+o.wait
	o.wait = min(2*o.wait, lastReminder)
	return true
}

// attrs tells of failures that go on.
func (o *outage) attrs() []any {
	if o.count < 2 {
		return nil
	}
	return []any{"failing_for", clock.Rounded(o.latest - o.since), "failures", o.count}
}

// answered takes note of a success. What was failing is over if the same operation
// succeeds: a store that is read-only, for one, is read all the time. It returns for
// how long it was, and whether the log is to be told.
func (o *outage) answered(op string, now time.Duration) (time.Duration, bool) {
	if !o.failing || op != o.op && now-o.latest < firstReminder {
		return 0, false
	}
	o.failing = false
	return now - o.since, o.told
}

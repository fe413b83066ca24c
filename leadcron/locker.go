package leadcron

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/go-co-op/gocron/v2"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/schedule"
	"github.com/seed-a1d591d3/leadership/store"
)

// ErrTaken means that a job is not run here because the instant at which it is due was
// taken before, by another node or by this one.
var ErrTaken = errors.New("the run has been taken")

// maxEarly is how long before an instant a call may be for that instant, at most.
const maxEarly = time.Minute

// Option changes what NewLocker makes. An option that is nil changes nothing.
type Option func(*Locker)

// WithLocation sets the time zone of a schedule that names none. It should be
// that of the scheduler, and has to be the same on all nodes. The default, and nil, is
// time.Local, as in gocron.
func WithLocation(l *time.Location) Option {
	return func(locker *Locker) {
		if l != nil {
			locker.location = l
		}
	}
}

// OnlyLeader makes Lock return ErrNotLeader while candidate does not lead. The default,
// and nil, is to run jobs on any node.
func OnlyLeader(candidate *leadership.Candidate) Option {
	return func(locker *Locker) { locker.candidate = candidate }
}

// WithRoundOptions sets options of the rounds.
func WithRoundOptions(opts ...leadership.RoundOption) Option {
	return func(locker *Locker) { locker.options = append(locker.options, opts...) }
}

// Locker runs a job once for each instant at which it is due, on the node that comes
// first. Make it with NewLocker; the zero value is not usable. It is safe for concurrent
// use.
//
// gocron calls when a job is due, but does not pass the instant. So a Locker computes it
// from the schedule: it is the last instant at or before the time of this node's clock. An
// instant is one leadership.Round, under <system>/<job>@<instant>: once it is won, no node
// wins it again, however late it comes, and whatever its clock shows.
//
// A node whose timer is a little early, by its own clock, waits in Lock until the instant
// has come: for at most a tenth of the time between two instants, and a minute. A run that
// is so late that the next instant is past counts for that one.
//
// The record of a round stays in the store until it is deleted, as by
// leadership.Rounds.Sweep. That should not be before the next instant, nor within the time
// by which clocks differ.
//
// What it cannot do:
//
//   - The node with the fastest clock runs the most instants, and each when it comes by
//     that clock. A clock that is wrong takes the instants that it shows: they are not run
//     again when they really come. All other instants are run once the clock is right; but
//     gocron itself waits for the time that it has computed by its clock.
//   - A time of day that the change to summer time skips is not an instant on that day. One
//     that comes twice, when the clock is set back, is two instants, and is run at both: if
//     a job must not be, let it be due at another hour, or in UTC ("CRON_TZ=UTC ").
//   - A node that crashes while it runs an instant is not replaced. The others run the
//     next one.
//   - Jobs at an interval from the start of each process, such as gocron.DurationJob
//     without gocron.WithStartDateTime, are run once in each interval ("@every 5m": from
//     08:00 to 08:05, and so on), but two runs may be as close together as the timers of
//     two processes are.
//   - A run between the instants, as by Job.RunNow, counts for the last instant, and so is
//     refused if that has been run. The same goes for the runs that gocron adds after a
//     change to summer time, if that is set.
type Locker struct {
	rounds    *leadership.Rounds
	system    string
	node      string
	schedule  schedule.Schedule
	location  *time.Location
	candidate *leadership.Candidate
	options   []leadership.RoundOption
	now       func() time.Time
}

var _ gocron.Locker = (*Locker)(nil)

// NewLocker makes a locker for the jobs of one schedule. It makes no call of
// the store.
//
// The rounds of all its jobs are kept under system, and told apart by the
// names of the jobs, which have to be the same on all nodes: set them with
// gocron.WithName, because the default is that of the function. node is the name of this
// node, for people; in the rounds it is followed by # and a random text.
//
// spec is when the jobs are due: the cron expression that gocron was given, of
// five fields or, with seconds, six, after "CRON_TZ=Europe/Berlin " where the time
// zone matters; one for gocron's daily, weekly and monthly jobs; "@hourly"
// and the like; or "@every 5m" for a gocron.DurationJob of 5 minutes, of 1ms at least.
// Sunday is 0, 7 or SUN; "?" is refused: write "*".
//
// It returns leadership.ErrInvalidArgument for an argument that is missing and for an
// invalid spec. Names that are invalid for leadership.NewRound, such as one of a job that
// has more than 255 bytes with its instant, are reported by Lock.
func NewLocker(kv store.Store, system, node, spec string, opts ...Option) (*Locker, error) {
	l := &Locker{
		system: system, node: node, location: time.Local, now: time.Now,
	}
	for _, opt := range opts {
		if opt != nil {
			opt(l)
		}
	}
	switch {
	case kv == nil:
		return nil, fmt.Errorf("leadcron: %w: store is nil: must be a store", leadership.ErrInvalidArgument)
	case system == "":
		return nil, fmt.Errorf(`leadcron: %w: system is "": must not be empty`, leadership.ErrInvalidArgument)
	case node == "":
		return nil, fmt.Errorf(`leadcron: %w: node is "": must not be empty`, leadership.ErrInvalidArgument)
	}
	var err error
	if l.schedule, err = schedule.Parse(spec); err != nil {
		return nil, fmt.Errorf("leadcron: %w: schedule is %q: %w", leadership.ErrInvalidArgument, spec, err)
	}
	l.rounds = leadership.NewRounds(kv, l.options...)
	return l, nil
}

// Lock returns no error if this node is to run the job of that name now. Otherwise it
// returns ErrTaken, ErrNotLeader, or an error of leadership.Round: then it is not known
// whether the instant was taken, and the job is not run here. It blocks until an instant
// that is near (see Locker), and for as long as Elect of the round does.
func (l *Locker) Lock(ctx context.Context, job string) (gocron.Lock, error) {
	at, err := l.due(ctx)
	if err == nil && l.candidate != nil && !l.candidate.IsLeader() {
		err = ErrNotLeader
	}
	if err != nil {
		return nil, fmt.Errorf("leadcron: job %q: %w", job, err)
	}
	name := url.PathEscape(job) + "@" + at.UTC().Format("20060102-150405.999")
	// No node runs an instant twice, nor does this one: it asks as another node each
	// time, and does not rely on what its clock has shown.
	round := l.rounds.Round(l.system, name, l.node+"#"+rand.Text())
	won, err := round.Elect(ctx)
	switch {
	case err != nil:
		return nil, fmt.Errorf("leadcron: round %q: %w", name, err)
	case !won:
		return nil, fmt.Errorf("leadcron: round %q: %w", name, ErrTaken)
	}
	return lock{round}, nil
}

// due returns the instant that a call at this moment is for.
func (l *Locker) due(ctx context.Context) (time.Time, error) {
	for {
		now := l.now().Round(0).In(l.location)
		latest, next := l.schedule.Latest(now), l.schedule.Next(now)
		if latest.IsZero() {
			return latest, errors.New("it has never been due")
		}
		early := next.Sub(now)
		if next.IsZero() || early > min(next.Sub(latest)/10, maxEarly) {
			return latest, nil
		}
		timer := time.NewTimer(early)
		select {
		case <-timer.C:
			if now := l.now(); !now.Before(next) {
				return next, nil
			}
		case <-ctx.Done():
			timer.Stop()
			return next, context.Cause(ctx)
		}
	}
}

// lock is an instant that this node has won.
type lock struct{ round *leadership.Round }

// Unlock records in the round that the run has ended, well or not. gocron calls
// it with a context that may have been cancelled to end the run.
func (l lock) Unlock(ctx context.Context) error {
	return l.round.Complete(context.WithoutCancel(ctx))
}

package leadership

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"time"
	"unicode/utf8"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/format"
	"github.com/seed-a1d591d3/leadership/internal/lease"
	"github.com/seed-a1d591d3/leadership/internal/register"
	specs "github.com/seed-a1d591d3/leadership/internal/schedule"
	"github.com/seed-a1d591d3/leadership/store"
)

const (
	// DefaultTTL is the TTL of a candidate that asks for 0.
	DefaultTTL = 15 * time.Second

	// MinTTL is the shortest TTL that a candidate takes.
	MinTTL = 50 * time.Millisecond

	// MaxTTL is the longest TTL that a candidate takes.
	MaxTTL = 365 * 24 * time.Hour

	// MaxPayload is how many bytes a payload may have.
	MaxPayload = 64 << 10

	// DefaultCallTimeout is how long a call of the store is waited for by Ask, Claims,
	// Elections, Forget and, unless it has another, a Round.
	DefaultCallTimeout = 5 * time.Second

	// DefaultHealthFailures is after how many failures in a row a leader steps down.
	DefaultHealthFailures = 3

	// maxPriority is the highest priority.
	maxPriority = 1_000_000

	// followerRetry is how often a follower looks while it knows no record
	// whose TTL would tell.
	followerRetry = time.Second
)

// Option changes what NewCandidate or NewFollower makes. An option that is
// nil changes nothing.
type Option func(*options)

type options struct {
	config   election.Config
	margin   time.Duration
	payload  []byte
	log      *slog.Logger
	workName string
	clock    clock.Clock

	grace     time.Duration
	spec      string // of the schedule
	health    healthOptions
	callbacks Callbacks
	priority  int
	session   *lease.Session                                             // that terms ride on, or nil
	rides     func(kv store.Store, ttl time.Duration, of *options) error // what is wrong with one that is to ride on it
	format    format.Header                                              // of the records; zero is that of an election

	set struct{ renew, retry, margin, session bool } // by the user
}

// WithRenewInterval sets how long after a successful renewal began a leader
// begins the next. It must be at least 1 ms and leave time to renew: below the
// TTL less the margin and the grace. The default is a third of the TTL, or half of what
// they leave where that is less. A follower ignores it.
func WithRenewInterval(d time.Duration) Option {
	return func(o *options) { o.config.Renew, o.set.renew = d, true }
}

// WithRetryInterval sets how long a candidate or follower that hears nothing
// from its watch goes without looking at the record, and the longest wait
// between tries while the store fails, which is 5 s at most. Each wait is
// shortened by up to a fifth, at random. It must be at least 1 ms and, for a
// candidate, not above the TTL. The default is a third of the TTL. A follower that knows of a leader
// waits a third of that leader's TTL at most, and by default just that; while
// it knows of none, its default is a second.
func WithRetryInterval(d time.Duration) Option {
	return func(o *options) { o.config.Retry, o.set.retry = d, true }
}

// WithMargin sets how long before the TTL has gone by a leader stops trusting
// its claim, and how long after it a follower still believes in a leader that
// it does not hear of. The margin covers clocks of different speed: the
// default, a fifth of the TTL, those up to 11 percent off either way. It must
// be at least 1 ms and, for a candidate, at least 2 ms below the TTL.
func WithMargin(d time.Duration) Option {
	return func(o *options) { o.margin, o.set.margin = d, true }
}

// WithGrace sets how long before its claim can no longer be trusted a leader
// that cannot renew it ends its term, so that the work has time to stop while
// nobody else can lead yet. It comes on top of the margin. It must not be below
// 0 and leave time to renew. The default is 0. A follower ignores it.
func WithGrace(d time.Duration) Option {
	return func(o *options) { o.grace = d }
}

// WithRelinquishAfter has a leader hand over once it has led for d: it resigns
// in order and leaves the seat to others for one retry interval; if nobody has
// taken it by then, it leads again. Only the work of Run is waited for: code that
// reads a channel, or is called back, learns of it when others may lead already. d
// must not be below 0; 0, the default, means never. A follower ignores it.
func WithRelinquishAfter(d time.Duration) Option {
	return func(o *options) { o.config.Schedule.After = d }
}

// WithRelinquishSchedule has a leader hand over, as WithRelinquishAfter does, at
// the times of a cron spec: five fields, or six with the seconds first, or a
// descriptor such as @daily, by the local time of this machine or the zone that
// a leading "CRON_TZ=Europe/Berlin " names. Sunday is 0, 7 or SUN; "?" is refused. "@every
// 1h30m" counts from the beginning of the term, and is 1ms at least. A time of day that the
// change to summer time skips does not come that day; one that comes twice, as the
// clock is set back, comes at both. A time that comes within a retry
// interval of the beginning of the term is passed over: a node that has just taken
// over at midnight, by a clock that is a little slow, keeps the seat. It wins
// over WithRelinquishAfter. The default, and "", is no schedule. A follower
// ignores it.
func WithRelinquishSchedule(spec string) Option {
	return func(o *options) { o.spec = spec }
}

// WithPayload sets what followers are told of this candidate when it leads,
// such as the address to reach it at; 64 KiB at most. The default is none. A
// follower ignores it.
func WithPayload(p []byte) Option {
	p = append([]byte(nil), p...)
	return func(o *options) { o.payload = p }
}

// WithPriority sets how much a candidate is preferred: among those that wait
// when the seat falls vacant, one of a higher priority wins it. It does not take
// the seat from a leader. It must be from 0, the default, to 1,000,000.
//
// A candidate with a priority above 0 enters itself into the record while it waits:
// within a TTL, at random, of having seen the leader renew its claim, or later where
// many do. At a vacancy each candidate holds back for one retry interval of its own
// for each entry of a higher priority than its own, three at most: so a preferred
// candidate that is gone costs no more than that, once, and the one that takes the
// seat drops its entry. A follower ignores it.
func WithPriority(n int) Option {
	return func(o *options) { o.priority = n }
}

// WithHealthCheck has a candidate stand only while check returns nil: it does
// not claim the seat before the first check has passed, nor after one that
// failed, until one passes again; and a leader whose check has failed as often
// as WithHealthFailures says, in a row, steps down in order. Only the work of Run is
// waited for then.
//
// check is called at each interval of WithHealthInterval, in a goroutine of its
// own. Its context ends after one interval; a check that has not returned by
// then counts as failed, once for each interval that it goes on hanging, and is
// not called again before it has returned. The default, and nil, is no check. A
// follower ignores it.
func WithHealthCheck(check func(ctx context.Context) error) Option {
	return func(o *options) { o.health.probe = check }
}

// WithHealthInterval sets how often health is checked. It must be at least 1
// ms. The default is the retry interval.
func WithHealthInterval(d time.Duration) Option {
	return func(o *options) { o.health.every, o.health.everySet = d, true }
}

// WithHealthFailures sets after how many failed checks in a row a leader steps
// down. It must be at least 1; the default is DefaultHealthFailures.
func WithHealthFailures(n int) Option {
	return func(o *options) { o.health.failures, o.health.failuresSet = n, true }
}

// WithCallbacks has functions called on the changes of an election. A follower
// calls OnLeaderChange, OnStanding and OnError only. The default is none.
func WithCallbacks(c Callbacks) Option {
	return func(o *options) { o.callbacks = c }
}

// WithWorkName sets what the log and errors call the work of Run that does not return
// in time. The default, and "", is the name of its function in the program.
func WithWorkName(name string) Option {
	return func(o *options) { o.workName = name }
}

// WithLogger sets where terms and errors are logged. Of errors that go on, such as those
// of a store that cannot be reached, it is told the first, then one after 5 s, and then
// after twice as long each time, 10 minutes at most, and how long it took until the store
// answered again; the error channel gets them all. A handler that blocks holds up
// the campaign that logs: its claim runs out. The default, and nil, is nowhere.
func WithLogger(l *slog.Logger) Option {
	return func(o *options) {
		if l != nil {
			o.log = l
		}
	}
}

func init() {
	clock.Option = func(c clock.Clock) any {
		return Option(func(o *options) { o.clock = c })
	}
}

func newOptions(opts []Option) options {
	o := options{log: slog.New(slog.DiscardHandler), clock: clock.System{}}
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	o.config.Dice = election.Dice{Float64: o.clock.Float64, Stride: clock.Stride, Instance: rand.Text}
	return o
}

// candidate fills in the defaults for a candidate of that TTL, and says what
// is wrong.
func (o *options) candidate(ttl time.Duration) error {
	if ttl < MinTTL || ttl > MaxTTL {
		return invalid("ttl", ttl, "must be from %v to %v, or 0 for %v", MinTTL, MaxTTL, DefaultTTL)
	}
	if !o.set.margin {
		o.margin = ttl / 5
	}
	if !o.set.renew {
		o.config.Renew = min(ttl/3, (ttl-o.margin-o.grace)/2)
	}
	if !o.set.retry {
		o.config.Retry = ttl / 3
	}
	switch {
	case o.margin < time.Millisecond || o.margin > ttl-2*time.Millisecond:
		return invalid("margin", o.margin, "must be at least 1ms and at least 2ms below the TTL of %v", ttl)
	case o.grace < 0 || o.grace > ttl-o.margin-2*time.Millisecond:
		return invalid("grace", o.grace, "must not be below 0 and at least 2ms below the TTL of %v less the margin of %v", ttl, o.margin)
	case o.config.Renew < time.Millisecond || o.config.Renew >= ttl-o.margin-o.grace:
		return invalid("renewal interval", o.config.Renew,
			"must be at least 1ms and below the TTL of %v less the margin of %v and the grace of %v", ttl, o.margin, o.grace)
	case o.config.Retry < time.Millisecond || o.config.Retry > ttl:
		return invalid("retry interval", o.config.Retry, "must be at least 1ms and not above the TTL of %v", ttl)
	case o.priority < 0 || o.priority > maxPriority:
		return invalid("priority", o.priority, "must be from 0 to %d", maxPriority)
	case o.config.Schedule.After < 0:
		return invalid("relinquish interval", o.config.Schedule.After, "must not be below 0")
	}
	if err := checkPayload(o.payload); err != nil {
		return err
	}
	if err := o.parseSchedule(); err != nil {
		return err
	}
	o.config.Trust, o.config.Limit = o.trust(ttl.Truncate(time.Millisecond)), ttl.Truncate(time.Millisecond)/3
	if o.session != nil {
		o.config.Ride()
	}
	return o.health.check(o.config.Retry)
}

// ride says what keeps a candidate from riding on its session, if it has one.
func (o *options) ride(kv store.Store, ttl time.Duration) error {
	if o.rides == nil {
		return nil
	}
	return o.rides(kv, ttl, o)
}

// word returns what to call something of an election, or of a session.
func (o *options) word(ofElection, ofSession string) string {
	if o.format == election.Sessions {
		return ofSession
	}
	return ofElection
}

// trust returns for how long a claim of that TTL can be trusted, from its start on.
func (o *options) trust(ttl time.Duration) time.Duration { return ttl - o.margin - o.grace }

// parseSchedule reads the spec of the schedule.
func (o *options) parseSchedule() error {
	o.config.Schedule.Skip = o.config.Retry
	if o.spec == "" {
		return nil
	}
	spec, err := specs.Parse(o.spec)
	if err != nil {
		return invalid("relinquish schedule", fmt.Sprintf("%q", o.spec), "%v", err)
	}
	if every := spec.Every(); every != 0 {
		o.config.Schedule.After = every
	} else {
		o.config.Schedule.Next = spec.Next
	}
	return nil
}

// follower says what is wrong with the options of a follower.
func (o *options) follower() error {
	switch {
	case o.set.margin && (o.margin < time.Millisecond || o.margin > MaxTTL):
		return invalid("margin", o.margin, "must be from 1ms to %v", MaxTTL)
	case o.set.retry && (o.config.Retry < time.Millisecond || o.config.Retry > MaxTTL):
		return invalid("retry interval", o.config.Retry, "must be from 1ms to %v", MaxTTL)
	}
	return nil
}

func checkStore(kv store.Store) error {
	if rule := register.NoStore(kv); rule != "" {
		return invalid("store", "nil", "%s", rule)
	}
	return nil
}

func checkName(argument, name string) error {
	switch {
	case name == "":
		return invalid(argument, `""`, "must not be empty")
	case !utf8.ValidString(name):
		return invalid(argument, fmt.Sprintf("%q", name), "must be valid UTF-8")
	}
	return nil
}

func checkPayload(p []byte) error {
	if len(p) > MaxPayload {
		return invalid("payload", fmt.Sprintf("%d bytes", len(p)), "must have at most %d bytes", MaxPayload)
	}
	return nil
}

// minInstance and maxInstance bound the length of an instance.
const minInstance, maxInstance = 16, 128

func checkInstance(instance string) error {
	if err := checkName("instance", instance); err != nil {
		return err
	}
	if n := len(instance); n < minInstance || n > maxInstance {
		return invalid("instance", fmt.Sprintf("%d bytes", n), "must have from %d to %d bytes", minInstance, maxInstance)
	}
	return nil
}

func checkContext(ctx context.Context) error {
	if ctx == nil {
		return invalid("context", "nil", "must not be nil")
	}
	return nil
}

func invalid(argument string, value any, rule string, args ...any) error {
	return fmt.Errorf("leadership: %w: %s is %v: %s", ErrInvalidArgument, argument, clock.Texts(value)[0], fmt.Sprintf(rule, clock.Texts(args...)...))
}

type healthOptions struct {
	probe                 func(context.Context) error // nil: always healthy
	every                 time.Duration
	failures              int
	everySet, failuresSet bool
}

// check fills in the defaults and says what is wrong.
func (o *healthOptions) check(retry time.Duration) error {
	if !o.everySet {
		o.every = retry
	}
	if !o.failuresSet {
		o.failures = DefaultHealthFailures
	}
	switch {
	case o.every < time.Millisecond:
		return invalid("health interval", o.every, "must be at least 1ms")
	case o.failures < 1:
		return invalid("health failures", o.failures, "must be at least 1")
	}
	return nil
}

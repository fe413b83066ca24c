package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// OpenTimeout bounds the time that Open takes.
const OpenTimeout = 5 * time.Second

// Driver opens the stores of one URL scheme. The packages below this one
// register theirs when they are imported.
type Driver struct {
	// Port is the default port of a host, or 0 if URLs of the scheme have no hosts.
	Port int

	// Hostless means that a URL need not name a host although Port is set: Open finds the
	// hosts elsewhere.
	Hostless bool

	// Example is a URL of the scheme. Errors of invalid URLs quote it.
	Example string

	// EmptyUser means that a URL may have an @ without a user and a password before it.
	EmptyUser bool

	// Sockets means that the path of a folder, with its slashes written %2F, may stand in
	// place of a host.
	Sockets bool

	// Params are the parameters that a URL may have. Others are refused, and so are empty
	// and repeated ones.
	Params []string

	// Resolve returns where the URL and the environment lead, without connecting. It may
	// be nil.
	Resolve func(u *URL) (Target, error)

	// Open connects and makes a first request, so that a refused login or an untrusted
	// certificate shows at once. ctx ends within OpenTimeout; Open must return then, and
	// the store must outlive ctx. The caller adds the URL to errors and removes its
	// secrets from them.
	Open func(ctx context.Context, u *URL) (Store, error)
}

var drivers struct {
	sync.RWMutex
	byScheme map[string]Driver
}

// Register registers the driver of a scheme, in lower case, for Open. It panics if the
// scheme is empty or already registered, or d has no Open. Call it from the init function
// of the driver's package. It is safe for concurrent use.
func Register(scheme string, d Driver) {
	if scheme == "" || scheme != strings.ToLower(scheme) || d.Open == nil {
		panic(fmt.Sprintf("store: the driver of scheme %q is incomplete", scheme))
	}
	drivers.Lock()
	defer drivers.Unlock()
	if _, twice := drivers.byScheme[scheme]; twice {
		panic(fmt.Sprintf("store: scheme %q is registered twice", scheme))
	}
	if drivers.byScheme == nil {
		drivers.byScheme = make(map[string]Driver)
	}
	drivers.byScheme[scheme] = d
}

// Schemes returns the registered schemes, sorted.
func Schemes() []string {
	drivers.RLock()
	defer drivers.RUnlock()
	return slices.Sorted(maps.Keys(drivers.byScheme))
}

// Open connects to the store that a URL names, and checks that it answers:
//
//	memory://name
//	sqlite:///var/lib/app/election.db
//	postgres://user:password@host:5432/database
//	etcd://host1:2379,host2:2379/prefix
//	consul://host:8500/prefix
//	zookeeper://host1:2181,host2:2181/prefix
//	redis://:password@host:6379/0
//
// The documentation of each store's package describes its URLs. Import the package to
// register its scheme; github.com/seed-a1d591d3/leadership/store/all imports all of them.
//
// It blocks until the store has answered, ctx has ended or OpenTimeout has passed. The
// error names what is wrong: an unknown scheme or parameter, a bad port, a missing file,
// a refused login, an untrusted certificate. It never shows a password. It wraps
// ErrNotReachable if the store did not answer. Close the store when the elections on it
// have ended.
//
// Every part of a URL, and of the variables that the package of the store names, takes
// effect as in the store's own tool, or is refused with an error that names it. TargetOf
// returns the result, and the default logger of log/slog logs it at level debug.
func Open(ctx context.Context, rawURL string) (Store, error) {
	u, driver, err := parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	whole := ctx
	ctx, cancel := context.WithTimeout(ctx, OpenTimeout-openReserve)
	defer cancel()

	type result struct {
		kv  Store
		err error
	}
	opened := make(chan result, 1)
	go func() {
		kv, err := driver.Open(ctx, u)
		opened <- result{kv, err}
	}()
	select {
	case r := <-opened:
		err = r.err
		if err == nil {
			return tell(whole, r.kv), nil
		}
	case <-afterContext(ctx, openReserve/2):
		// A driver that takes longer is not waited for; what it opens later is closed.
		go func() {
			if r := <-opened; r.err == nil {
				r.kv.Close()
			}
		}()
		err = ctx.Err()
	}
	if cause := whole.Err(); cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", cause, err) // not every client wraps the error of the context
	}
	if errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, ErrNotReachable) {
		err = fmt.Errorf("%w: %w", ErrNotReachable, err)
	}
	return nil, fmt.Errorf("open %s: %w", u, u.scrub(err))
}

// openReserve is the part of OpenTimeout that is left to a driver to clean up.
const openReserve = 500 * time.Millisecond

// afterContext returns a channel that is closed some time after ctx has ended.
func afterContext(ctx context.Context, d time.Duration) <-chan struct{} {
	late := make(chan struct{})
	context.AfterFunc(ctx, func() { time.AfterFunc(d, func() { close(late) }) })
	return late
}

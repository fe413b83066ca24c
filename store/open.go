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
	// Port is the port of a host that names none, or 0 where URLs name no
	// hosts; a URL may then have none.
	Port int

	// Hostless lets a URL name no host although Port is set: Open finds them
	// elsewhere.
	Hostless bool

	// Example is a URL of the scheme, for the errors of one that is wrong.
	Example string

	// EmptyUser lets a login have neither user nor password, which then is none.
	EmptyUser bool

	// Sockets lets the path of a folder, with its slashes as %2F, stand for a host.
	Sockets bool

	// Params are the parameters that a URL may have. Others are refused, and so
	// are those that are empty or there twice.
	Params []string

	// Resolve says where the URL and the environment lead, without connecting.
	// It may be nil.
	Resolve func(u *URL) (Target, error)

	// Open connects, and asks the store something, so that a refused login or
	// an untrusted certificate shows at once. ctx ends within OpenTimeout, and
	// with it Open has to return; the store lives on. What Open returns is
	// given the URL's scheme and hosts by its caller, and has the URL's secrets
	// taken out.
	Open func(ctx context.Context, u *URL) (Store, error)
}

var drivers struct {
	sync.RWMutex
	byScheme map[string]Driver
}

// Register makes Open know a scheme, in lower case. It panics when the scheme
// is empty or registered already, or d has no Open: it is to be called by the
// init of the package that has the driver. Safe for concurrent use.
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

// Schemes returns the schemes that Open knows, sorted.
func Schemes() []string {
	drivers.RLock()
	defer drivers.RUnlock()
	return slices.Sorted(maps.Keys(drivers.byScheme))
}

// Open connects to the store that a URL names, and makes sure that it answers:
//
//	memory://name
//	sqlite:///var/lib/app/election.db
//	postgres://user:password@host:5432/database
//	etcd://host1:2379,host2:2379/prefix
//	consul://host:8500/prefix
//	zookeeper://host1:2181,host2:2181/prefix
//	redis://:password@host:6379/0
//
// The package of each store says what else its URLs may have; a package has to
// be imported for its scheme to be known, and
// github.com/seed-a1d591d3/leadership/store/all imports all.
//
// It blocks for OpenTimeout at most, and less if ctx ends. The error names what
// is wrong: an unknown scheme or parameter, a bad port, a missing file, a
// refused login, an untrusted certificate. It never shows a password. It wraps
// ErrNotReachable where the store did not answer. Close the store when the
// elections on it have ended.
//
// Every part of a URL, and of the variables that the package of the store names,
// takes effect as in the store's own tool, or is refused with an error that names
// it. What they come to is told by TargetOf, and logged by the default logger of
// log/slog at level debug.
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
		// A driver that takes longer is left to itself, and what it opens is
		// closed.
		go func() {
			if r := <-opened; r.err == nil {
				r.kv.Close()
			}
		}()
		err = ctx.Err()
	}
	if cause := whole.Err(); cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", cause, err) // not every client says what it was that ended it
	}
	if errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, ErrNotReachable) {
		err = fmt.Errorf("%w: %w", ErrNotReachable, err)
	}
	return nil, fmt.Errorf("open %s: %w", u, u.scrub(err))
}

// openReserve is what Open keeps of OpenTimeout for a driver to clean up.
const openReserve = 500 * time.Millisecond

// afterContext returns a channel that is closed some time after ctx has ended.
func afterContext(ctx context.Context, d time.Duration) <-chan struct{} {
	late := make(chan struct{})
	context.AfterFunc(ctx, func() { time.AfterFunc(d, func() { close(late) }) })
	return late
}

package lease

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
)

var errLapse = errors.New("over")

// incarnations is a session whose incarnations are called 1, 2 and so on, and take a second to end.
type incarnations struct {
	*Session

	n     int
	alive bool
	lease *Lease
	fails error // what the next ones end with
}

func newIncarnations(t *testing.T) *incarnations {
	s := new(incarnations)
	s.Session = NewSession(func(ctx context.Context) error {
		if s.alive {
			t.Error("two are alive")
		}
		s.n++
		s.alive = true
		s.lease = New(context.Background(), clock.System{}, time.Hour, clock.System{}.Now(), errLapse, func() {})
		s.Set(strconv.Itoa(s.n), s.lease)
		select {
		case <-ctx.Done():
		case <-s.lease.Context().Done():
		}
		s.Set("", nil)
		time.Sleep(time.Second)
		s.lease.End(errLapse)
		s.alive = false
		return s.fails
	})
	return s
}

func named(key string) string { return "the " + key }

func TestSessionIsAliveWhileItIsRidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newIncarnations(t)
		woken := 0
		first := s.Ride(t.Context(), named, func() { woken++ })
		synctest.Wait()
		second := s.Ride(t.Context(), named, func() {})
		if s.Key() != "1" || first.Name() != "the 1" || second.Name() != "the 1" || woken != 1 {
			t.Errorf("it is %q, named %q, %q, and one was woken %d times", s.Key(), first.Name(), second.Name(), woken)
		}
		if first.Lease("the 1") != s.lease || first.Lease("the 2") != nil {
			t.Error("its lease is not that of its name")
		}
		first.Done()
		if s.Key() != "1" {
			t.Error("it has ended before its last rider is done")
		}
		began := time.Now()
		second.Done()
		if d := time.Since(began); d != time.Second || s.alive {
			t.Errorf("the last was done after %v; it is alive: %v", d, s.alive)
		}
	})
}

func TestSessionThatIsLostIsFollowedByAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newIncarnations(t)
		r := s.Ride(t.Context(), named, func() {})
		synctest.Wait()
		if r.Name() != "the 1" {
			t.Error(r.Name())
		}
		s.lease.End(errLapse)
		if r.Name() != "" || s.Key() != "" || r.Lease("the 1") != nil {
			t.Error("it is ridden though it is over")
		}
		time.Sleep(2 * time.Second)
		if r.Name() != "the 2" || r.Lease("the 1") != nil || r.Lease("the 2") == nil {
			t.Errorf("the next is %q", r.Name())
		}
		r.Done()
	})
}

func TestSessionThatFailsIsNotFollowedByAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newIncarnations(t)
		s.fails = errors.New("no use")
		r := s.Ride(t.Context(), named, func() {})
		synctest.Wait()
		if r.Err() != nil {
			t.Error(r.Err())
		}
		s.lease.End(errLapse)
		time.Sleep(time.Hour)
		if s.n != 1 || !errors.Is(r.Err(), s.fails) || r.Name() != "" {
			t.Errorf("%d incarnations, %v", s.n, r.Err())
		}
		r.Done()
		r = s.Ride(t.Context(), named, func() {})
		synctest.Wait()
		if r.Err() != nil || r.Name() != "the 2" {
			t.Errorf("the next ride: %v, %q", r.Err(), r.Name())
		}
		r.Done()
	})
}

func TestSessionBeginsAgainOnceTheLastHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newIncarnations(t)
		first := s.Ride(t.Context(), named, func() {})
		synctest.Wait()
		go first.Done()
		synctest.Wait()
		second := s.Ride(t.Context(), named, func() {})
		synctest.Wait()
		if s.Key() != "" {
			t.Errorf("%q is alive before the first has ended", s.Key())
		}
		time.Sleep(2 * time.Second)
		if second.Name() != "the 2" {
			t.Error(second.Name())
		}
		second.Done()
	})
}

func TestSessionCarriesTheInstancesOfItsRiders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newIncarnations(t)
		first, second := s.Ride(t.Context(), named, func() {}), s.Ride(t.Context(), named, func() {})
		first.As("a")
		second.As("a")
		first.As("b")
		for instance, want := range map[string]bool{"a": true, "b": true, "c": false, "": false} {
			if s.Carries(instance) != want {
				t.Errorf("it carries %q: %v", instance, !want)
			}
		}
		second.Done()
		if s.Carries("a") || !s.Carries("b") {
			t.Error("it carries who is done, or not who rides")
		}
		first.Done()
	})
}

func TestNobodyRidesOnNoSession(t *testing.T) {
	var s *Session
	r := s.Ride(t.Context(), named, func() {})
	r.As("a")
	if s.Key() != "" || r.Name() != "" || r.Lease("") != nil {
		t.Error("there is one")
	}
	r.Done()
}

func TestLeaseEndsWithTheOneThatItRidesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.System{}
		ended := 0
		on := New(t.Context(), c, 10*time.Second, c.Now(), errLapse, func() {})
		short := Riding(t.Context(), on, c, 5*time.Second, c.Now(), errLapse, func() { ended++ })
		long := Riding(t.Context(), on, c, time.Minute, c.Now(), errLapse, func() { ended++ })
		if long.Left() != 10*time.Second || short.Left() != 5*time.Second {
			t.Errorf("%v and %v are left", long.Left(), short.Left())
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if short.Valid() || !long.Valid() || ended != 1 {
			t.Errorf("valid: %v, %v; %d have ended", short.Valid(), long.Valid(), ended)
		}
		on.Renew(c.Now())
		on.End(errors.New("another reason"))
		if long.Valid() || ended != 2 || !errors.Is(context.Cause(long.Context()), errLapse) {
			t.Errorf("valid: %v; %d have ended, by %v", long.Valid(), ended, context.Cause(long.Context()))
		}
		late := Riding(t.Context(), on, c, time.Minute, c.Now(), errLapse, func() { ended++ })
		if late.Valid() || ended != 3 {
			t.Error("one rides on what is over")
		}
	})
}

// counting is a clock that counts the timers that are set.
type counting struct {
	clock.System
	timers *int
}

func (c counting) AfterFunc(d time.Duration, f func()) *time.Timer {
	*c.timers++
	return c.System.AfterFunc(d, f)
}

func TestLeaseIsNotWokenByThatOfItsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		timers := 0
		on := New(t.Context(), clock.System{}, 10*time.Second, clock.System{}.Now(), errLapse, func() {})
		rider := Riding(t.Context(), on, counting{timers: &timers}, time.Hour, clock.System{}.Now(), errLapse, func() {})
		for range 100 {
			time.Sleep(5 * time.Second)
			on.Renew(clock.System{}.Now())
		}
		if timers != 1 || !rider.Valid() {
			t.Errorf("%d timers; valid: %v", timers, rider.Valid())
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if !rider.Over() {
			t.Error("it is not told that its session is over")
		}
	})
}

package leadership

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/watches"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestFollowerReportsThePresentLeaderFirstAndThenEveryChange(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		a := NewCandidate(kv, key, "a", ttl, WithPayload([]byte("address of a")))
		elected, _ := a.RunForElection(ctx)
		collect(elected)
		synctest.Wait()

		f := NewFollower(kv, key)
		leader, _ := f.FollowElection(ctx)
		got := collect(leader)
		equal(t, "stream", got(), []string{"a"})
		want, _ := a.Term()
		term, ok := f.Term()
		if !ok || term.Token != want.Token || term.TTL != ttl || string(term.Payload) != "address of a" || f.Leader() != "a" {
			t.Errorf("follows %+v, %v", term, ok)
		}

		b := NewCandidate(kv, key, "b", ttl)
		elected, _ = b.RunForElection(ctx)
		collect(elected)
		time.Sleep(10 * ttl)
		a.Stop()
		synctest.Wait()
		if leader := f.Leader(); leader != "b" {
			t.Errorf("follows %q", leader)
		}
		b.Stop()
		equal(t, "the last told", got()[len(got())-1:], []string{""})
		if term, ok := f.Term(); ok {
			t.Errorf("follows %+v in a vacant seat", term)
		}
	})
}

func TestFollowerWaitsForTheFirstLeader(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		for _, watch := range []bool{true, false} {
			kv := memory.New()
			mute := faultstore.New(kv)
			mute.MuteWatches(!watch)
			f := NewFollower(mute, key)
			leader, _ := f.FollowElection(ctx)
			time.Sleep(time.Minute)
			start := time.Now()
			c := NewCandidate(kv, key, "a", ttl)
			c.RunForElection(ctx)
			if got := <-leader; got != "a" {
				t.Fatalf("told %q first", got)
			}
			if took := time.Since(start); watch && took > 0 || took > followerRetry {
				t.Errorf("told after %v", took)
			}
		}
	})
}

func TestFollowerGivesUpALeaderNotHeardOfForItsTTLAndTheMargin(t *testing.T) {
	for name, cutOff := range map[string]string{"the leader crashed": "leader", "the follower is cut off": "follower"} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, ctx context.Context) {
				kv := memory.New()
				views := map[string]*faultstore.Store{"leader": faultstore.New(kv), "follower": faultstore.New(kv)}
				c := NewCandidate(views["leader"], key, "a", ttl)
				c.RunForElection(ctx)
				f := NewFollower(views["follower"], key)
				leader, _ := f.FollowElection(ctx)
				<-leader
				synctest.Wait()
				views[cutOff].Partition()
				start := time.Now()
				if got := <-leader; got != "" {
					t.Fatalf("told %q", got)
				}
				if took := time.Since(start); took != ttl*6/5 {
					t.Errorf("gave up after %v, want %v", took, ttl*6/5)
				}
				views[cutOff].Heal()
				if got := <-leader; got != "a" {
					t.Errorf("told %q after it healed", got)
				}
			})
		})
	}
}

func TestFollowerThatLearnsOfAShortTTLLooksInTime(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		mute := faultstore.New(kv)
		mute.MuteWatches(true)
		f := NewFollower(mute, key)
		leader, _ := f.FollowElection(ctx)
		c := NewCandidate(kv, key, "a", MinTTL)
		c.RunForElection(ctx)
		got := collect(leader)
		time.Sleep(time.Minute)
		equal(t, "stream", got(), []string{"a"})
	})
}

func TestFollowerWithALongRetryIntervalDoesNotHangOnOneCall(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		shared := memory.New()
		kv := faultstore.New(shared, faultstore.WithPlan(func(c faultstore.Call) faultstore.Fault {
			if c.Op == faultstore.OpGet && c.Seq == 1 {
				return faultstore.Fault{Before: time.Hour}
			}
			return faultstore.Fault{}
		}))
		f := NewFollower(kv, key, WithRetryInterval(time.Hour))
		leader, _ := f.FollowElection(ctx)
		start := time.Now()
		NewCandidate(shared, key, "a", ttl).RunForElection(ctx)
		if got := <-leader; got != "a" {
			t.Errorf("told %q", got)
		}
		if took := time.Since(start); took > 2*DefaultCallTimeout {
			t.Errorf("told after %v", took)
		}
	})
}

func TestFollowerStopsFromEverywhereAndFollowsAgain(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewCandidate(kv, key, "a", ttl)
		c.RunForElection(ctx)
		f := NewFollower(kv, key)
		f.Stop()
		for range 10 {
			leader, errs := f.FollowElection(ctx)
			for name := range leader {
				if name != "a" {
					t.Errorf("told %q", name)
				}
				f.Stop()
				f.Stop()
			}
			closed(t, "errors", errs, 0)
			if f.Leader() != "" {
				t.Error("believes in a leader after Stop")
			}
		}
		first, _ := f.FollowElection(ctx)
		<-first
		second, _ := f.FollowElection(ctx)
		closed(t, "the first stream", first, watches.Grace)
		if got := <-second; got != "a" {
			t.Errorf("the second stream begins with %q", got)
		}
	})
}

func TestFollowerReportsWhatIsWrong(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		for _, f := range []*Follower{
			NewFollower(nil, key), NewFollower(memory.New(), ""),
			NewFollower(memory.New(), key, WithRetryInterval(-1)), NewFollower(memory.New(), key, WithMargin(0)),
			NewFollower(memory.New(), key, WithMargin(math.MaxInt64)), NewFollower(memory.New(), key, WithRetryInterval(math.MaxInt64)),
		} {
			leader, errs := f.FollowElection(ctx)
			if err := <-errs; !errors.Is(err, ErrInvalidArgument) {
				t.Errorf("reported %v", err)
			}
			closed(t, "leader", leader, 0)
			f.Stop()
		}

		kv := memory.New()
		if err := kv.Put(ctx, key, []byte("precious"), nil); err != nil {
			t.Fatal(err)
		}
		f := NewFollower(kv, key)
		leader, errs := f.FollowElection(ctx)
		if err := <-errs; !errors.Is(err, ErrForeignRecord) || !strings.Contains(err.Error(), key) {
			t.Errorf("reported %v", err)
		}
		f.Stop()
		closed(t, "leader", leader, 0)
	})
}

// A record with a token that none can follow was written by hand, and deleted.
func TestFollowerTakesALowerTokenAfterARecordIsGone(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		byHand := election.Record{Leader: "x", Instance: "x", Token: election.MaxToken - 1, Millis: ttl.Milliseconds(), Since: time.UnixMilli(1).UTC()}
		if err := kv.Put(ctx, key, byHand.Encode(), nil); err != nil {
			t.Fatal(err)
		}
		f := NewFollower(kv, key)
		leader, _ := f.FollowElection(ctx)
		got := collect(leader)
		synctest.Wait()
		if err := kv.Delete(ctx, key); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * ttl)
		c := NewCandidate(kv, key, "a", ttl)
		c.RunForElection(ctx)
		time.Sleep(3 * ttl)
		equal(t, "stream", got(), []string{"x", "", "a"})
		if term, ok := f.Term(); !ok || term.Token > uint64(time.Now().UnixMilli()) {
			t.Errorf("follows %+v, %v", term, ok)
		}
		if all, err := Elections(ctx, kv, ""); err != nil || len(all) != 1 || all[0].Term.Leader != "a" {
			t.Errorf("there are %+v, %v", all, err)
		}
		c.Stop()
		f.Stop()
	})
}

func TestFollowerTellsOfACallThatDoesNotReturn(t *testing.T) {
	for _, heard := range []bool{true, false} {
		inVirtualTime(t, func(t *testing.T, ctx context.Context) {
			kv := memory.New()
			link := faultstore.New(kv)
			defer link.Close()
			link.IgnoreContexts(true)
			if heard {
				NewCandidate(kv, key, "a", ttl).RunForElection(ctx)
				synctest.Wait()
			} else {
				link.Partition()
			}
			_, errs := NewFollower(link, key).FollowElection(ctx)
			told := collect(errs)
			time.Sleep(10 * ttl)
			link.Partition()
			time.Sleep(10 * time.Minute)
			if len(told()) == 0 {
				t.Errorf("it heard of a leader: %v; and says nothing", heard)
			}
			link.Heal()
			time.Sleep(time.Second)
		})
	}
}

package leadership

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestLeaderRelinquishesAfterItsTime(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		a := NewCandidate(kv, key, "a", ttl, WithRelinquishAfter(time.Minute))
		b := NewCandidate(kv, key, "b", ttl)
		var worked time.Duration
		started(ctx, a, func(ctx context.Context, _ Term) error {
			began := time.Now()
			<-ctx.Done()
			if worked == 0 && !errors.Is(context.Cause(ctx), ErrRelinquished) { // it may lead again at the end, when b has left
				t.Errorf("the cause is %v", context.Cause(ctx))
			}
			worked = max(worked, time.Since(began))
			return ctx.Err()
		})
		synctest.Wait()
		b.RunForElection(ctx)
		time.Sleep(time.Minute - 1)
		synctest.Wait()
		if !a.IsLeader() {
			t.Fatal("a does not lead any more, and it is early")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if !b.IsLeader() || worked != time.Minute {
			t.Errorf("b leads: %v; a's work went on for %v", b.IsLeader(), worked)
		}
		if last := stored(t, kv).Last; last.Leader != "a" || last.Reason != election.Relinquished {
			t.Errorf("the record says %+v", last)
		}
		// b has no such time.
		time.Sleep(5 * time.Minute)
		if !b.IsLeader() {
			t.Error("b does not lead any more")
		}
	})
}

func TestLeaderThatRelinquishedLeadsAgainWhereNobodyElseDoes(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		a := NewCandidate(kv, key, "a", ttl, WithRelinquishAfter(time.Minute))
		elected, _ := a.RunForElection(ctx)
		told := collect(elected)
		time.Sleep(time.Minute)
		synctest.Wait()
		if a.IsLeader() {
			t.Fatal("it leads on")
		}
		first := stored(t, kv).Token
		time.Sleep(ttl / 3)
		synctest.Wait()
		if term, ok := a.Term(); !ok || term.Token <= first || term.Last.Reason != "relinquished" {
			t.Errorf("after a retry interval it leads: %v, in %+v", ok, term)
		}
		equal(t, "told", told(), []bool{false, true, false, true})
	})
}

func TestDailyScheduleHandsOverAtMidnightAcrossTheChangeOfSummerTime(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	// The clocks went forward on 26 March 2000, at 2 in the morning: the day had
	// 23 hours. The bubble begins on 1 January.
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		time.Sleep(time.Until(time.Date(2000, 3, 25, 18, 0, 0, 0, berlin)))
		kv := memory.New()
		var handovers []string
		stand := func(node string) {
			c := NewCandidate(kv, key, node, 10*time.Minute, WithRelinquishSchedule("CRON_TZ=Europe/Berlin 0 0 * * *"))
			started(ctx, c, func(ctx context.Context, _ Term) error {
				<-ctx.Done()
				if errors.Is(context.Cause(ctx), ErrRelinquished) {
					handovers = append(handovers, node+" "+time.Now().In(berlin).Format("2 Jan 15:04:05.000"))
				}
				return ctx.Err()
			})
			synctest.Wait()
		}
		stand("a")
		stand("b")
		time.Sleep(time.Until(time.Date(2000, 3, 28, 12, 0, 0, 0, berlin)))
		synctest.Wait()
		equal(t, "handovers", handovers, []string{"a 26 Mar 00:00:00.000", "b 27 Mar 00:00:00.000", "a 28 Mar 00:00:00.000"})
	})
}

// TestScheduleSaysWhen holds the arithmetic alone.
func TestScheduleSaysWhen(t *testing.T) {
	at := func(mono time.Duration, wall string) clock.Instant {
		when, err := time.Parse("15:04:05", wall)
		if err != nil {
			t.Fatal(err)
		}
		return clock.Instant{Mono: mono, Wall: when.AddDate(2000, 0, 0).UnixNano()}
	}
	for _, test := range []struct {
		name       string
		after      time.Duration
		spec       string
		since, now clock.Instant
		want       time.Duration
	}{
		{"clock.Never", 0, "", at(0, "12:00:00"), at(5, "12:00:00"), clock.Never},
		{"an interval", time.Minute, "", at(0, "12:00:00"), at(time.Second, "12:00:01"), 59 * time.Second},
		{"an interval in which it slept", time.Minute, "", at(0, "12:00:00"), at(time.Second, "12:00:30"), 30 * time.Second},
		{"the spec wins", time.Minute, "@every 90s", at(0, "12:00:00"), at(0, "12:00:00"), 90 * time.Second},
		{"every, by the clock that is ahead", 0, "@every 90s", at(0, "12:00:00"), at(100*time.Second, "12:00:00"), -10 * time.Second},
		{"a time of day", 0, "CRON_TZ=UTC 30 12 * * *", at(0, "12:00:00"), at(time.Second, "12:00:01"), 29*time.Minute + 59*time.Second},
		{"one that the wall clock has jumped to", 0, "CRON_TZ=UTC 30 12 * * *", at(0, "12:00:00"), at(time.Second, "12:31:00"), -time.Minute},
		{"seconds", 0, "CRON_TZ=UTC 15 30 12 * * *", at(0, "12:30:00"), at(0, "12:30:00"), 15 * time.Second},
		{"Sunday, the seventh", 0, "CRON_TZ=UTC 30 12 * * 7", at(0, "12:00:00"), at(0, "12:00:00"), 24*time.Hour + 30*time.Minute}, // 1 January 2000 is a Saturday
		{"every half second", 0, "@every 500ms", at(0, "12:00:00"), at(0, "12:00:00"), 500 * time.Millisecond},
		{"after a clock that was ahead was set right", 0, "CRON_TZ=UTC 30 12 * * *", at(0, "23:00:00"), at(time.Second, "12:00:01"), 29*time.Minute + 59*time.Second},
		{"after a clock that was behind was set right", 0, "CRON_TZ=UTC 30 12 * * *", at(0, "11:00:00"), at(time.Second, "12:40:00"), -10 * time.Minute},
		{"one right after the beginning is passed over", 0, "CRON_TZ=UTC @hourly", at(0, "12:59:58"), at(0, "12:59:58"), time.Hour + 2*time.Second},
	} {
		o := options{spec: test.spec, config: election.Config{Retry: 5 * time.Second, Schedule: election.Schedule{After: test.after}}}
		if err := o.parseSchedule(); err != nil {
			t.Fatal(err)
		}
		if got := o.config.Schedule.Due(test.since, test.now); got != test.want {
			t.Errorf("%s: due in %v, want %v", test.name, got, test.want)
		}
	}
}

func TestBadSchedulesAreRefused(t *testing.T) {
	for _, spec := range []string{"nonsense", "* * * *", "@every -1m", "@every 0s", "0 0 * * 8", "0 10 * * ? *", "cron(0 10 * * ? *)", "61 * * * *", "0 0 30 2 *", "CRON_TZ=Nowhere/Land 0 0 * * *", "CRON_TZ=UTC", "TZ=UTC ", "@every", "@every x"} {
		err := NewCandidate(memory.New(), key, "a", 0, WithRelinquishSchedule(spec)).Run(t.Context(), func(context.Context, Term) error { return nil })
		if !errors.Is(err, ErrInvalidArgument) || !strings.Contains(err.Error(), "relinquish schedule") || !strings.Contains(err.Error(), spec) {
			t.Errorf("%q: %v", spec, err)
		}
	}
}

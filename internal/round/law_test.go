package round

import (
	"errors"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/store"
)

const ttl = 10 * time.Second

func at(d time.Duration) clock.Instant {
	return clock.Instant{Mono: d, Wall: noon.UnixNano() + int64(d)}
}

// see has an observer see records, each a second after the one before; nil is none.
func see(records ...*Record) View {
	var v View
	for i, r := range records {
		if r == nil {
			v.See(nil, Record{}, time.Duration(i)*time.Second)
			continue
		}
		v.See(&store.KVPair{LastIndex: uint64(i + 1)}, *r, time.Duration(i)*time.Second)
	}
	return v
}

func TestNextAttemptIsThatOfWhoMayMakeIt(t *testing.T) {
	var (
		forever   = &Record{Winner: "a", Elected: noon}
		first     = &Record{Winner: "a", Elected: noon, Attempt: 1, Millis: ttl.Milliseconds(), Mark: "x"}
		second    = &Record{Winner: "b", Elected: noon, Attempt: 2, Millis: ttl.Milliseconds(), Mark: "y"}
		completed = &Record{Winner: "a", Elected: noon, Attempt: 1, Millis: ttl.Milliseconds(), Mark: "x", Completed: &Outcome{By: "a"}}
		last      = &Record{Winner: "a", Elected: noon, Attempt: election.MaxToken - 1, Millis: ttl.Milliseconds(), Mark: "x"}

		a, b, c = Claimant{Node: "a", TTL: ttl}, Claimant{Node: "b", TTL: ttl}, Claimant{Node: "c", TTL: ttl}
		b0      = Claimant{Node: "b"}
		nobody  = Claimant{Node: "a", Instance: "i", TTL: ttl}
	)
	for _, test := range []struct {
		name   string
		by     Claimant
		view   View
		after  time.Duration // since the last record was seen
		known  bool          // its own, by a write that was acknowledged
		writes bool
		number uint64 // of what is written, or stands
		winner string
		own    uint64 // the number of its own
	}{
		{"a round without a record", b, see(nil), 0, false, true, 1, "b", 1},
		{"a round that was not looked at", b, View{}, 0, false, true, 1, "b", 1},
		{"a round without a record, for ever", b0, see(nil), 0, false, true, 1, "b", 1},
		{"another's, for ever", b, see(forever), time.Hour, true, false, 1, "a", 1},
		{"its own, for ever", a, see(forever), 0, true, false, 1, "a", 1},
		{"its own, read back", a, see(forever), 0, false, true, 1, "a", 1},
		{"of another instance", nobody, see(forever), time.Hour, false, false, 1, "a", 1},
		{"completed", b, see(completed), time.Hour, false, false, 1, "a", 1},
		{"its own, completed", a, see(completed), 0, false, false, 1, "a", 1},
		{"its own, again", a, see(first), ttl / 2, true, true, 1, "a", 1},
		{"another's, within its TTL", b, see(first), ttl - 1, false, false, 1, "a", 1},
		{"another's, after its TTL", b, see(first), ttl, false, true, 2, "b", 1},
		{"another's, for one without a TTL", b0, see(first), time.Hour, false, false, 1, "a", 1},
		{"another's that vanished, within its TTL", b, see(first, nil), ttl - 1, false, false, 1, "a", 1},
		{"another's that vanished, after its TTL", b, see(first, nil), ttl, false, true, 2, "b", 1},
		{"its own that vanished", a, see(first, nil), 0, true, true, 2, "a", 1},
		{"an older one put back, within the TTL", c, see(first, second, first), ttl - 1, false, false, 2, "b", 1},
		{"an older one put back, after the TTL", c, see(first, second, first), ttl, false, true, 3, "c", 1},
		{"an older one of its own put back", a, see(first, second, first), ttl - 1, true, false, 2, "b", 1},
		{"an older one put back over its own", b, see(first, second, first), 0, true, true, 3, "b", 2},
		{"an older one put back over its own that is over", b, see(first, second, first), ttl - 1, false, false, 1, "", 2},
		{"its own that vanished, and is over", a, see(first, nil), ttl - 1, false, false, 1, "", 1},
		{"an older one of its own put back over its own that is over", b, see(second, &Record{Winner: "b", Elected: noon, Attempt: 1, Millis: ttl.Milliseconds()}), ttl - 1, false, false, 1, "", 2},
		{"one begun after its own was over, after the TTL", b, see(first, second, first), ttl, true, true, 3, "b", 2},
		{"one that none can follow, gone", b, see(last, nil), ttl, false, true, 1, "b", 1},
	} {
		seen := test.view.Seen
		var own *Attempt
		if test.known {
			own = &Attempt{Number: test.own, Start: at(seen), Trust: ttl * 4 / 5}
		}
		rec, writes, err := test.by.Next(test.view, at(seen+test.after), own, "z")
		if err != nil || writes != test.writes || rec.Order() != test.number || rec.Winner != test.winner {
			t.Errorf("%s: %v, attempt %d of %q, %v; want %v, %d of %q", test.name, writes, rec.Order(), rec.Winner, err, test.writes, test.number, test.winner)
		}
		if writes && rec.Millis > 0 && rec.Mark != "z" {
			t.Errorf("%s: the mark is %q", test.name, rec.Mark)
		}
	}
	if _, writes, err := b.Next(see(last), at(ttl), nil, "z"); writes || !errors.Is(err, ErrLast) {
		t.Errorf("after the last attempt: %v, %v", writes, err)
	}
}

func TestRenewalKeepsWhenTheAttemptWasWonAndItsTTL(t *testing.T) {
	first := Record{Winner: "a", Elected: noon.Add(-time.Hour), Attempt: 3, Millis: ttl.Milliseconds(), Mark: "x"}
	for asks, want := range map[time.Duration]time.Duration{0: ttl, ttl / 2: ttl, 2 * ttl: 2 * ttl} {
		rec, writes, err := Claimant{Node: "a", TTL: asks}.Next(see(&first), at(time.Second), nil, "z")
		if err != nil || !writes || !rec.Elected.Equal(first.Elected) || rec.TTL() != want || rec.Attempt != 3 {
			t.Errorf("with a TTL of %v: %+v, %v, %v", asks, rec, writes, err)
		}
	}
}

func TestAttemptIsTrustedForFourFifthsOfItsTTL(t *testing.T) {
	a := Begun(Record{Attempt: 2, Millis: ttl.Milliseconds()}, at(time.Second), 0)
	for _, c := range []struct {
		now  clock.Instant
		left time.Duration
	}{
		{at(time.Second), ttl * 4 / 5},
		{at(3 * time.Second), ttl*4/5 - 2*time.Second},
		{at(time.Second + ttl*4/5), 0},
		{at(time.Hour), 0},
		{clock.Instant{Mono: time.Second, Wall: at(3 * time.Second).Wall}, ttl*4/5 - 2*time.Second}, // it slept (S4)
	} {
		if left := a.Left(c.now); left != c.left {
			t.Errorf("%v is left, want %v", left, c.left)
		}
	}
	if left := Begun(Record{Millis: ttl.Milliseconds()}, at(0), time.Second).Left(at(time.Second)); left != ttl*4/5-2*time.Second {
		t.Errorf("%v is left with a grace", left)
	}
	if left := Begun(Record{}, at(0), time.Second).Left(at(1000 * time.Hour)); left < 1000*time.Hour {
		t.Errorf("%v is left of one that is for ever", left)
	}
}

func TestAttemptIsFinishedByItsWinner(t *testing.T) {
	var (
		none      = Record{}
		named     = Record{Winner: "a", Attempt: 2}
		leased    = Record{Winner: "a", Instance: "i", Attempt: 2, Millis: 5}
		anonymous = Record{Winner: "a", Instance: "i"}
		byA       = Record{Winner: "a", Completed: &Outcome{By: "a"}}
		a, b      = Claimant{Node: "a"}, Claimant{Node: "b"}
		i, j      = Claimant{Node: "a", Instance: "i"}, Claimant{Node: "b", Instance: "j"}
	)
	for _, c := range []struct {
		name   string
		by     Claimant
		rec    Record
		number uint64
		want   Verdict
	}{
		{"nobody has won", a, none, 0, NotElected},
		{"its own", a, named, 0, May},
		{"its own, by number", a, named, 2, May},
		{"an attempt before", a, named, 1, Superseded},
		{"another's", b, named, 0, OtherWon},
		{"completed by itself", a, byA, 0, Done},
		{"completed by another", b, byA, 0, OtherDone},
		{"anonymous, its own", i, anonymous, 0, May},
		{"anonymous, by another that is", j, anonymous, 0, May},
		{"anonymous, by a name", b, anonymous, 0, OtherWon},
		{"a name's, by one that is anonymous", j, named, 0, OtherWon},
		{"anonymous with a TTL, without a number", j, leased, 0, NumberNeeded},
		{"anonymous with a TTL, by number", j, leased, 2, May},
	} {
		if got := c.by.Finish(c.rec, c.number); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	failed := a.Fail(named, noon, []byte("7"))
	if done := a.Complete(failed, noon, nil, "m"); failed.Failed == nil || done.Failed != nil || done.Completer() != "a" {
		t.Errorf("%+v, then %+v", failed, done)
	}
}

func TestOldRoundIsDeletedOnceItsAttemptIsOver(t *testing.T) {
	const age = time.Minute
	for _, c := range []struct {
		name string
		rec  *Record
		now  time.Duration
		want bool
	}{
		{"none", nil, time.Hour, false},
		{"young", &Record{Winner: "a", Elected: noon}, age, false},
		{"old", &Record{Winner: "a", Elected: noon}, age + 1, true},
		{"failed recently", &Record{Winner: "a", Elected: noon, Failed: &Outcome{At: noon.Add(age)}}, 2 * age, false},
		{"completed recently", &Record{Winner: "a", Elected: noon, Completed: &Outcome{At: noon.Add(age)}}, 2 * age, false},
		{"at work, as far as was seen", &Record{Winner: "a", Elected: noon, Attempt: 1, Millis: time.Hour.Milliseconds()}, time.Hour - 1, false},
		{"silent for its TTL", &Record{Winner: "a", Elected: noon, Attempt: 1, Millis: time.Hour.Milliseconds()}, time.Hour, true},
	} {
		if got := MayDelete(see(c.rec), age, at(c.now)); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

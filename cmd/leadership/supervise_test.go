//go:build linux

package main

import (
	"testing"
	"time"
)

// Between two readings of the clock a process may be paused for any time.
func TestDeadlineIsNeverLaterThanTheTrust(t *testing.T) {
	var asked instant
	s := &supervised{grace: 2 * time.Second, trust: func() time.Duration {
		asked = now()
		return 10 * time.Second
	}}
	o := s.deadline(&guardian{})
	if at := asked.add(10 * time.Second); o.Over > at || o.Last > at.add(2*time.Second) {
		t.Errorf("the guard is told %v too much", time.Duration(o.Over-at))
	}
	if s.trust = func() time.Duration { return 0 }; s.deadline(&guardian{}) != (order{}) {
		t.Error("the guard is told a deadline though there is no trust")
	}
}

func TestAlarmRingsAtOnceForAnInstantThatIsPast(t *testing.T) {
	a, err := newAlarm()
	if err != nil {
		t.Fatal(err)
	}
	defer a.stop()
	for _, at := range []instant{now().add(20 * time.Millisecond), now(), 0} {
		if err := a.set(at); err != nil {
			t.Fatal(err)
		}
		<-a.C
		if now() < at {
			t.Error("it rang too early")
		}
	}
}

func TestInstantsDoNotOverflow(t *testing.T) {
	if never.add(time.Hour) != never || now().add(1<<63-1) != never {
		t.Error("an instant is past for being too far away")
	}
}

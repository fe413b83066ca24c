//go:build linux

package guard

import (
	"bytes"
	"context"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// Between two readings of the clock a process may be paused for any time.
func TestDeadlineIsNeverLaterThanTheTrust(t *testing.T) {
	var asked instant
	s := &supervisor{Command: &Command{Grace: 2 * time.Second, Trust: func() time.Duration {
		asked = now()
		return 10 * time.Second
	}}}
	o := s.deadline()
	if at := asked.add(10 * time.Second); o.Over > at || o.Last > at.add(2*time.Second) {
		t.Errorf("the guard is told %v too much", time.Duration(o.Over-at))
	}
	if s.Trust = func() time.Duration { return 0 }; s.deadline() != (order{}) {
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

// The pipe to a guard that is frozen is full.
func TestEndThatIsLostIsToldAgain(t *testing.T) {
	for name, c := range map[string]struct {
		strike func(cancel func(), hurry chan<- os.Signal)
		want   order
	}{
		"stop":            {func(cancel func(), _ chan<- os.Signal) { cancel() }, order{Stop: true}},
		"kill":            {func(_ func(), hurry chan<- os.Signal) { hurry <- os.Interrupt }, order{Kill: true}},
		"stop, then kill": {func(cancel func(), hurry chan<- os.Signal) { cancel(); synctest.Wait(); hurry <- os.Interrupt }, order{Stop: true, Kill: true}},
		"kill, then stop": {func(cancel func(), hurry chan<- os.Signal) { hurry <- os.Interrupt; synctest.Wait(); cancel() }, order{Stop: true, Kill: true}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var fds [2]int
				if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
					t.Fatal(err)
				}
				defer unix.Close(fds[0])
				in, orders := &inbox{fd: fds[0]}, os.NewFile(uintptr(fds[1]), "orders")
				defer orders.Close()
				filler := bytes.Repeat([]byte("{ }\n"), 1024) // pages
				for err := error(nil); err == nil; {
					_, err = unix.Write(fds[1], filler)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				hurry, reports := make(chan os.Signal), make(chan guardReport)
				s := &supervisor{
					Command: &Command{Every: time.Second, Hurry: hurry},
					orders:  orders, reports: reports, over: never, last: never,
				}
				ended := make(chan error, 1)
				go func() {
					_, err := s.supervise(ctx)
					ended <- err
				}()
				synctest.Wait()
				c.strike(cancel, hurry)
				synctest.Wait()
				if lost, open := in.read(); !open || slices.ContainsFunc(lost, func(o order) bool { return o != order{} }) {
					t.Fatalf("the pipe was not full: %v", lost)
				}
				time.Sleep(s.Every)
				synctest.Wait()
				if told, _ := in.read(); !slices.Contains(told, c.want) {
					t.Errorf("the guard is told %v", told)
				}
				reports <- guardReport{ok: true}
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

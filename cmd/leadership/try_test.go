//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// trying is run --try, in virtual time. It must not be elected.
func trying(check string) *runner {
	return &runner{
		program: &program{stdin: strings.NewReader(""), stdout: io.Discard, stderr: new(bytes.Buffer), environ: append(os.Environ(), asProgram+"=1"), verbose: true},
		key:     key, node: "a", ttl: 10 * time.Second, argv: []string{"false"}, signals: new(signals),
		try: try{on: true}, health: health{command: check, failures: leadership.DefaultHealthFailures},
	}
}

func TestTryTellsANodeNotElectedFromAStoreThatFails(t *testing.T) {
	ask := func(kv store.Store, r leadership.Request) error {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		return leadership.Ask(ctx, kv, key, r)
	}
	for name, c := range map[string]struct {
		check  string
		leads  bool // another, all the time
		before func(kv store.Store) error
		faults faultstore.Plan
		lapse  bool // the faults end
		code   int
		want   string
	}{
		"sick":                        {check: "echo ill; false", code: exitTaken, want: "the health check has not passed"},
		"sick, the store has failed":  {check: "false", faults: afterALook, lapse: true, code: exitTaken, want: "the health check has not passed"},
		"sick, the store fails":       {check: "false", faults: afterALook, code: exitRun, want: "it is not known whether the seat is free"},
		"the store fails":             {before: vacate, faults: afterALook, code: exitRun, want: "it is not known whether the seat is free"},
		"the store cannot be written": {faults: faultstore.Always(faultstore.Fault{Err: errors.New("disk full")}, faultstore.OpAtomicPut), code: exitRun, want: "disk full"},
		"led, the store has failed":   {leads: true, faults: afterALook, lapse: true, code: exitTaken, want: "b leads " + key},
		"led, the store fails":        {leads: true, faults: afterALook, code: exitRun, want: "it is not known whether the seat is free"},
		"held for another": {before: func(kv store.Store) error {
			if err := vacate(kv); err != nil {
				return err
			}
			_ = ask(kv, leadership.Request{Action: leadership.Transfer, To: "c", Hold: time.Minute, By: "olga"}) // nobody obeys
			return nil
		}, code: exitTaken, want: "it is left to c, as olga asked"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var exit *exitError
				all := memory.New()
				defer all.Close()
				mine := faultstore.New(all)
				defer mine.Close()
				if c.before != nil {
					if err := c.before(all); err != nil {
						t.Fatal(err)
					}
				}
				if c.leads {
					b := leadership.NewCandidate(all, key, "b", 10*time.Second)
					_, errs := b.RunForElection(t.Context())
					defer func() {
						b.Stop()
						for range errs {
							continue
						}
					}()
					if _, err := b.WaitForLeader(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				mine.SetPlan(c.faults)
				if c.lapse {
					defer time.AfterFunc(2*time.Second, func() { mine.SetPlan(nil) }).Stop()
				}
				r := trying(c.check)
				_, err := r.campaign(t.Context(), mine)
				said := fmt.Sprint(r.stderr, err)
				if errors.As(withCode(err, exitRun), &exit); exit == nil || exit.code != c.code || !strings.Contains(said, c.want) {
					t.Errorf("got %v, want exit code %d: %s", exit, c.code, said)
				}
			})
		})
	}
}

// afterALook has all calls fail but the first Get.
func afterALook(c faultstore.Call) (f faultstore.Fault) {
	if c.Op != faultstore.OpGet || c.Seq > 1 {
		f.Err = faultstore.ErrInjected
	}
	return f
}

// vacate leaves an election without a leader.
func vacate(kv store.Store) error {
	c := leadership.NewCandidate(kv, key, "b", 10*time.Second)
	done := errors.New("done")
	if err := c.Run(context.Background(), func(context.Context, leadership.Term) error { return done }); !errors.Is(err, done) {
		return err
	}
	return nil
}

func TestSignalEndsATryThatWaitsForTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := faultstore.New(memory.New(), faultstore.WithPlan(faultstore.Always(faultstore.Fault{Before: time.Hour})))
		defer kv.Close()
		r := trying("")
		r.signals.ctx, r.signals.cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, func() { r.signals.take(syscall.SIGTERM) })
		if code, err := r.campaign(r.signals.ctx, kv); code != exitSignalBase+int(syscall.SIGTERM) || err != nil {
			t.Errorf("exit code %d: %v", code, err)
		}
	})
}

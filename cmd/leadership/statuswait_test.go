package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
)

// TestStatusThatIsCutOffTellsWhatItSaw: the time of --timeout may be over in the
// middle of a look, which then finds nothing.
func TestStatusThatIsCutOffTellsWhatItSaw(t *testing.T) {
	for name, nothing := range map[string][]found{"of a key": {{}}, "of a prefix": nil} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			looks := 0
			all, err := watchOver(ctx, func(ctx context.Context) ([]found, error) {
				if looks++; looks > 1 {
					cancel()
					time.Sleep(60 * time.Millisecond) // the record may have changed
					return nothing, ctx.Err()
				}
				return []found{{Standing: leadership.Standing{Key: "k", Term: leadership.Term{Leader: "a", Token: 5, TTL: 50 * time.Millisecond}, Beat: 1}}}, nil
			})
			if err != nil || len(all) != 1 || all[0].Key != "k" || all[0].Term.Leader != "a" || all[0].expired() {
				t.Errorf("it tells of %v, %v", all, err)
			}
		})
	}
}

func TestStatusTellsWhichTermsRide(t *testing.T) {
	url := sqliteURL(t)
	link := faultstore.New(open(t, url))
	session := leadership.NewSession(link, "service/", "node-s", leadTTL)
	rider := leadership.NewCandidate(link, "service/rides", "node-s", leadTTL, leadership.WithSession(session))
	_, errs := rider.RunForElection(t.Context())
	t.Cleanup(func() {
		rider.Stop()
		_ = link.Close()
		for range errs {
		}
	})
	eventually(t, "leader", rider.IsLeader)
	all, err := leadership.Elections(t.Context(), link, "service/")
	if err != nil || len(all) != 1 || all[0].Session == "" {
		t.Fatalf("%+v, %v", all, err)
	}
	try := func(args string, wantCode int, want string) {
		t.Helper()
		code, out, errs := inProcess(t, append(strings.Fields(args), "--store", url)...)
		if code != wantCode || !strings.Contains(out+errs, want) || args != "status --key "+all[0].Session && strings.Contains(out, "sessions/") != strings.Contains(args, "--json") {
			t.Errorf("%s: exit code %d: %s%s; want %d, %q", args, code, out, errs, wantCode, want)
		}
	}
	for range 3 { // while its record stays as it is
		try("status --prefix service/ --check", 0, "5s (session)")
		time.Sleep(300 * time.Millisecond)
	}
	try("status --key service/rides --check --json", 0, `"session":"`+all[0].Session+`"`)
	try("status --key "+all[0].Session, exitFailure, `a record of kind "session"`)
	try("forget --key "+all[0].Session, exitFailure, `a record of kind "session"`)
	try("forget --key service/rides", exitNo, "node-s")
	link.Partition()
	try("status --prefix service/ --wait", 0, "node-s (expired)")
	try("forget --key service/rides", 0, "forgotten")
}

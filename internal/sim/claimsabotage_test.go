package sim

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	overlay "github.com/seed-a1d591d3/leadership/internal/sabotage"
)

// switched is a sabotage that one binary has together with others, and obeys when
// the variable SABOTAGE names it: in new, BROKEN reports whether it does.
type switched struct {
	sabotage
	tests string // of the root package, that are to find it; empty: the simulation is
}

// claimSabotages are of Claims, and of attempts at rounds.
var claimSabotages = []switched{
	{sabotage{
		"claims", "trust runs from the reply", "claims.go",
		"\tif trust, err = c.trust(wrote.TTL()); err == nil {\n",
		"\tif BROKEN {\n\t\tstart = c.opts.clock.Now()\n\t}\n\tif trust, err = c.trust(wrote.TTL()); err == nil {\n",
	}, ""},
	{sabotage{
		"claims", "the time that a claim takes is not counted", "claims.go",
		"\t\ttrust -= c.opts.clock.Now().Since(start)\n",
		"\t\tif !BROKEN {\n\t\t\ttrust -= c.opts.clock.Now().Since(start)\n\t\t}\n",
	}, ""},
	{sabotage{
		"register", "a write that was read back counts", "internal/register/register.go",
		"\tcase failure != nil:\n\t\treturn outcome{pair: found, why: failure}, nil",
		"\tcase failure != nil:\n\t\treturn outcome{acknowledged: BROKEN && found != nil && bytes.Equal(found.Value, next.value), pair: found, why: failure}, nil",
	}, ""},
	{sabotage{
		"S5", "a record that a copy of the machine wrote is taken for one's own", "internal/election/answers.go",
		"if m.Mine() && !m.MayHaveWritten(rec) && !older {",
		"if m.Mine() && !m.MayHaveWritten(rec) && !older && !BROKEN {",
	}, "Copied"},
	{sabotage{
		"copies", "what was given up is taken for one's own when the store goes back", "internal/election/answers.go",
		"\t\tm.writes.sent, m.writes.acked = nil, attempt{} // what",
		"\t\tif BROKEN {\n\t\t\tbreak\n\t\t}\n\t\tm.writes.sent, m.writes.acked = nil, attempt{} // what",
	}, "GivenUp"},
	{sabotage{
		"S10", "indexes are not verified", "internal/indexes/indexes.go",
		"\tcase p.verified || wrote == nil",
		"\tcase BROKEN:\n\t\tp.verified = true\n\t\treturn Believe\n\tcase p.verified || wrote == nil",
	}, "StoreThatDoesNotKeep|Unsafe|Index"},
	{sabotage{
		"requests", "a request takes a beat of the leader's", "ask.go",
		"\t\tif asked = rec; !write {",
		"\t\tif BROKEN {\n\t\t\trec.Beat++\n\t\t}\n\t\tif asked = rec; !write {",
	}, "PauseThatKeeps"},
	{sabotage{
		"S12", "formats are told apart loosely", "errors.go",
		"\trec, err := election.Parse(value)\n",
		"\trec, err := election.Parse(value)\n\tif BROKEN && err != nil {\n\t\treturn election.Record{Token: 1}, nil\n\t}\n",
	}, "Foreign"},
	{sabotage{
		"claims", "a term that has run out is renewed", "claims.go",
		"holds := own && !c.lapsed(rec)",
		"holds := own && (BROKEN || !c.lapsed(rec))",
	}, "Claim|Holder|Term|Renewal"},
	{sabotage{
		"claims", "a term that was put back is renewed while another may lead", "claims.go",
		"return gone.Held() && !c.lapsed(gone)",
		"return !BROKEN && gone.Held() && !c.lapsed(gone)",
	}, "PutBack"},
	{sabotage{
		"claims", "a term that has ended and is put back is renewed", "claims.go",
		"\t\tc.ended(before) // it",
		"\t\tif BROKEN {\n\t\t\treturn\n\t\t}\n\t\tc.ended(before) // it",
	}, "PutBack"},
	{sabotage{
		"claims", "another term's token is good", "claims.go",
		"(!holds || by.Token != rec.Token)",
		"(!holds || by.Token != rec.Token && !BROKEN)",
	}, "Claim|Holder|Term|Renewal"},
	{sabotage{
		"claims", "a copy of a holder renews for ever", "claims.go",
		"holds && by.Beat != 0 && rec.Beat > by.Beat",
		"!BROKEN && holds && by.Beat != 0 && rec.Beat > by.Beat",
	}, "CopyOfAHolder"},
	{sabotage{
		inRounds, "a round that was read back is won", "internal/round/law.go",
		"stands.Completed == nil && own == nil {",
		"stands.Completed == nil && own == nil && !BROKEN {",
	}, ""},
	{sabotage{
		inRounds, "a round that was read back is completed", "round.go",
		"earlier == register.None && r.done.Load()",
		"(BROKEN || earlier == register.None && r.done.Load())",
	}, ""},
	{sabotage{
		inRounds, "trust in an attempt runs from the reply", "round.go",
		"\theld := round.Begun(rec, start, ",
		"\tif BROKEN {\n\t\tstart = r.opts.clock.Now()\n\t}\n\theld := round.Begun(rec, start, ",
	}, ""},
	{sabotage{
		inRounds, "the work of Do goes on after its attempt", "round.go",
		"\t\t\ttrust.Renew(r.held.Load().Start)\n",
		"\t\t\tif BROKEN {\n\t\t\t\ttrust.Renew(r.opts.clock.Now())\n\t\t\t\tbreak\n\t\t\t}\n\t\t\ttrust.Renew(r.held.Load().Start)\n",
	}, ""},
	{sabotage{
		"attempts", "a renewal shortens the TTL", "internal/round/law.go",
		"next.Millis = max(next.Millis, v.Rec.Millis)",
		"if !BROKEN || next.Millis == 0 {\n\t\t\tnext.Millis = max(next.Millis, v.Rec.Millis)\n\t\t}",
	}, "NotShortened"},
	{sabotage{
		inRounds, "an attempt is superseded at once", "internal/round/law.go",
		"case next.Millis == 0 || waits:",
		"case next.Millis == 0 || waits && !BROKEN:",
	}, ""},
	{sabotage{
		inRounds, "an attempt that vanished, or was put back, is not waited for", "internal/round/law.go",
		"case v.Gone().Held() && waits && !own.is(v.Gone(), now):",
		"case v.Gone().Held() && waits && !own.is(v.Gone(), now) && !BROKEN:",
	}, ""},
	{sabotage{
		inRounds, "an attempt that is over ends one that began after it", "internal/round/law.go",
		"a != nil && a.Number == r.Order() && a.Left(now) > 0",
		"a != nil && a.Number == r.Order() && (BROKEN || a.Left(now) > 0)",
	}, ""},
	{sabotage{
		inRounds, "a completed round is won again", "internal/round/record.go",
		"return r.Millis > 0 && r.Completed == nil }",
		"return r.Millis > 0 && (BROKEN || r.Completed == nil) }",
	}, ""},
	{sabotage{
		inRounds, "another's attempt is completed", "internal/round/law.go",
		"case number != 0 && r.Order() != number:",
		"case BROKEN && by == \"\":\n\t\treturn May\n\tcase number != 0 && r.Order() != number:",
	}, ""},
	{sabotage{
		inRounds, "attempts are not counted", "internal/round/law.go",
		"if n := r.Order() + 1; n < election.MaxToken {",
		"if n := r.Order() + 1; n < election.MaxToken && !BROKEN {",
	}, ""},
	{sabotage{
		inRounds, "sleep does not count for an attempt", "internal/round/law.go",
		"return now.Left(a.Trust, a.Start)",
		"if BROKEN {\n\t\tnow.Wall = a.Start.Wall\n\t}\n\treturn now.Left(a.Trust, a.Start)",
	}, ""},
}

// inRounds is the rule of those that the simulation of rounds is to find.
const inRounds = "rounds"

// TestSabotageOfClaims breaks one rule of claims and attempts after another, and
// demands that the simulation finds it, or a test of the root package, which
// plays in virtual time as well.
func TestSabotageOfClaims(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the tests twice")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	changed, err := switches(root, dir)
	if err != nil {
		t.Fatal(err)
	}
	simulation, tests := filepath.Join(dir, "sim.test"), filepath.Join(dir, "root.test")
	var builds sync.WaitGroup
	for to, pkg := range map[string]string{simulation: "./internal/sim", tests: "."} {
		builds.Go(func() {
			cmd := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", to, "-overlay", changed, pkg)
			cmd.Dir = root
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %v\n%s", cmd.Args, err, out)
			}
		})
	}
	builds.Wait()
	if t.Failed() {
		return
	}
	t.Run("rule", func(t *testing.T) {
		for i, s := range claimSabotages {
			t.Run(s.rule+" "+s.how, func(t *testing.T) {
				t.Parallel()
				began, play := time.Now(), "TestElections$"
				if s.rule == inRounds {
					play = "TestRounds$"
				}
				if s.tests != "" {
					if out, err := tested(t.Context(), root, tests, s.tests, ""); err != nil {
						t.Fatalf("without any sabotage: %v\n%s", err, out)
					}
					if out, err := tested(t.Context(), root, tests, s.tests, number(i)); err == nil || !strings.Contains(out, "--- FAIL: ") {
						t.Fatalf("no test finds it: %v\n%s", err, out)
					}
					return
				}
				found, err := violation(t.Context(), simulation, play, "SIM_SEED=", "SABOTAGE="+number(i))
				if err != nil {
					t.Fatal(err)
				}
				if found == nil {
					t.Fatalf("none of %d seeds finds it", sabotageSeeds)
				}
				t.Logf("found by seed %s in %v: %s", found.seed, time.Since(began).Round(time.Millisecond), found.what)
				found, err = violation(t.Context(), simulation, play, "SIM_SEED="+found.seed, "SABOTAGE=")
				if err != nil {
					t.Fatal(err)
				}
				if found != nil {
					t.Fatalf("seed %s fails without any sabotage: %s", found.seed, found.what)
				}
			})
		}
	})
}

// number is how the variable SABOTAGE names the ith.
func number(i int) string { return strconv.Itoa(i) }

// tested runs tests of the root package with one sabotage.
func tested(ctx context.Context, root, binary, tests, sabotage string) (string, error) {
	cmd := exec.CommandContext(ctx, binary, "-test.run="+tests, "-test.skip=AtOnce", "-test.timeout=3m", "-test.failfast")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "SABOTAGE="+sabotage)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// switches writes an overlay of the files to sabotage, with all of the sabotages in
// them, and returns its path.
func switches(root, dir string) (string, error) {
	changes := make([]overlay.Change, len(claimSabotages))
	for i, s := range claimSabotages {
		changes[i] = overlay.Change{Rule: s.rule, How: s.how, File: s.file, Old: s.old, New: s.new}
	}
	return overlay.Write(root, dir, changes)
}

package sim

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
)

// claimSabotages are of Claims and of attempts at rounds, whose tests are in the
// root package, in virtual time as well.
var claimSabotages = []sabotage{
	{
		"S1", "trust runs from the reply", "claims.go",
		"\t\tcase err == nil:\n\t\t\tif trust",
		"\t\tcase err == nil:\n\t\t\tstart = c.opts.clock.Now()\n\t\t\tif trust",
	},
	{
		"S1", "the time that a claim takes is not counted", "claims.go",
		"\t\t\t\ttrust -= c.opts.clock.Now().Since(start)\n",
		"",
	},
	{
		"S2", "rivals do not wait", "claims.go",
		"case now.Mono < free:",
		"case now.Mono < free-by.TTL:",
	},
	{
		"S2", "a rival waits from before it read", "claims.go",
		"if !c.sight.see(pair, rec, c.opts.clock.Now().Mono) {",
		"if !c.sight.see(pair, rec, c.opts.clock.Now().Mono-rec.ttl()/4) {",
	},
	{
		"S2", "a record that vanished is not waited for", "claims.go",
		"\ts := c.before\n",
		"\ts := sight{me: c.before.me}\n",
	},
	{
		"S5", "a claim that was given up and put back is taken for one that nobody leads by", "claims.go",
		"\t\tc.lost = record{}\n\t}\n}",
		"\t}\n}",
	},
	{
		"S5", "another server's renewal is taken for one's own", "claims.go",
		"if c.sight.rec.Beat == rec.Beat && c",
		"if c",
	},
	{
		"S7", "a term that has run out is renewed", "claims.go",
		"lapsed := own && rec.Token <= c.over",
		"lapsed := false",
	},
	{
		"S7", "another term's token is good", "claims.go",
		"case by.Token != 0 && (!own || lapsed || by.Token != rec.Token):",
		"case by.Token != 0 && (!own || lapsed):",
	},
	{
		"S10", "indexes are not verified", "claims.go",
		"if wrote.err == nil && !c.confirm(wrote.pair) {",
		"if false {",
	},
	{
		"requests", "a holder that was asked to go is renewed", "claims.go",
		"\t\tif why := rec.Ask.against(by.Node); why != nil {",
		"\t\tif why := error(nil); why != nil {",
	},
	{
		"S1", "trust in an attempt runs from the reply", "roundelect.go",
		"\t\t\treturn next, r.hold(next, start)",
		"\t\t\treturn next, r.hold(next, clock.System{}.Now())",
	},
	{
		"S2", "an attempt is superseded at once", "roundsight.go",
		"\t\tview.free = now + rec.ttl()\n",
		"\t\tview.free = now\n",
	},
	{
		"S2", "an attempt that was put back shortens the wait for a later one", "roundsight.go",
		"gone.attempt() > rec.attempt() {",
		"gone.attempt() > rec.attempt() && false {",
	},
	{
		"S4", "sleep does not count for an attempt", "roundsight.go",
		"a.trust-clock.System{}.Now().Since(a.start))",
		"a.trust-(clock.System{}.Now().Mono-a.start.Mono))",
	},
}

// claimTests are those that have to find them.
const claimTests = "Claim|Holder|Term|Rival|Trust|Renewal|Resign|RecordThatVanished|Attempt|StoreThatDoesNotKeep"

// TestSabotageOfClaims breaks one rule of claims and attempts after another, and
// demands that a test of the root package finds it.
func TestSabotageOfClaims(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the tests once for each sabotage")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	run := func(t *testing.T, name string, s *sabotage) error {
		t.Helper()
		binary := filepath.Join(dir, name)
		if err := build(t.Context(), root, ".", binary, s); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), binary, "-test.run="+claimTests, "-test.skip=AtOnce", "-test.timeout=3m", "-test.failfast")
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	if err := run(t, "sound.test", nil); err != nil {
		t.Fatal(err)
	}
	t.Run("rule", func(t *testing.T) {
		for i, s := range claimSabotages {
			t.Run(s.rule+" "+s.how, func(t *testing.T) {
				t.Parallel()
				if run(t, fmt.Sprintf("broken%d.test", i), &s) == nil {
					t.Fatal("no test finds it")
				}
			})
		}
	})
}

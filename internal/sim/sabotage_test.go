package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// sabotage breaks a rule of the production code by replacing a piece of its
// text, which has to be there exactly once.
type sabotage struct {
	rule, how string
	file      string // from the module's root
	old, new  string
}

var sabotages = []sabotage{
	{
		"S1", "trust runs from the reply", "campaign.go",
		"c.acked = attempt{call.rec.Beat, call.start}",
		"c.acked = attempt{call.rec.Beat, c.opts.clock.Now()}",
	},
	{
		"S2", "a rival waits half the TTL", "internal/election/law.go",
		"at += v.Rec.TTL()",
		"at += v.Rec.TTL() / 2",
	},
	{
		"S2", "a rival waits from before it read", "campaign.go",
		"\t\tc.lookedAt(r, now)",
		"\t\tc.lookedAt(r, call.start.Mono)",
	},
	{
		"S2", "a record that vanished is not waited for", "internal/election/view.go",
		"v.guard = max(v.guard, now+v.Rec.TTL())",
		"v.guard = max(v.guard, now)",
	},
	{
		"S3", "IsLeader is a flag", "trust.go",
		"{ return t.left() > 0 }",
		"{ return !t.over() }",
	},
	{
		"S3", "the context of work is left to a timer", "trust.go",
		"\tt.left() // ends it, when it has run out\n",
		"",
	},
	{
		"S4", "nobody is told that the machine was suspended", "trust.go",
		"\tt.jumps.Add(t)\n",
		"",
	},
	{
		"S4", "sleep does not count", "internal/clock/clock.go",
		"return max(i.Mono-earlier.Mono, time.Duration(i.Wall-earlier.Wall))",
		"return i.Mono - earlier.Mono",
	},
	{
		"S5", "an unknown outcome is taken for success", "campaign.go",
		"\tc.unknown = true\n\tc.fails++\n",
		"\tif !register.Refused(r.err) && call.rec.Held() {\n" +
			"\t\tc.acked = attempt{call.rec.Beat, call.start}\n" +
			"\t\tc.sight.see(&store.KVPair{Key: c.key, Value: r.wrote}, call.rec, now)\n" +
			"\t\tc.settle(now)\n\t\treturn\n\t}\n" +
			"\tc.unknown = true\n\tc.fails++\n",
	},
	{
		"S5", "a claim that was read back is trusted", "campaign.go",
		"case rec.Beat != c.acked.beat:",
		"case rec.Beat != c.acked.beat && l == nil:\n\t\t\tc.begin(rec, c.opts.clock.Now())\n\t\tcase rec.Beat != c.acked.beat:",
	},
	{
		"S5", "a renewal that was read back is trusted", "campaign.go",
		"case rec.Beat != c.acked.beat:",
		"case rec.Beat != c.acked.beat && l != nil:\n\t\t\tl.renewed(c.opts.clock.Now())\n\t\tcase rec.Beat != c.acked.beat:",
	},
	{
		"S6", "a stuck call is repeated", "campaign.go",
		"\tif c.call != nil {\n\t\treturn stepWait,",
		"\tif c.call != nil && now < c.call.until {\n\t\treturn stepWait,",
	},
	{
		"S7", "a late renewal revives a term", "trust.go",
		"\tif !t.standing() {\n\t\treturn false\n\t}\n\tt.start.Store(&start)",
		"\tt.start.Store(&start)\n\tt.why.Store(nil)",
	},
	{
		"S7", "a term that has run out is not over", "trust.go",
		"\t\t\tt.end(t.lapse)\n\t\t\treturn 0",
		"\t\t\treturn 0",
	},
	{
		"S8", "the seat is given up before the work has returned", "tenure.go",
		"\t\tc.complain(l, now)\n\t\treturn\n",
		"\t\tc.complain(l, now)\n",
	},
	{
		"S9", "a stale true is delivered", "relay.go",
		"bool { return last != nil && (last != current || !live(last)) }",
		"bool { return false }",
	},
	{
		"S9", "the false after a true is dropped", "relay.go",
		"return nil, last != current || !live(last)",
		"return current, last != current && live(current)",
	},
	{
		"S9", "a slow listener holds up the campaign", "relay.go",
		"bool { return last != nil && (last != current || !live(last)) }",
		"bool { return last != nil && !live(last) }",
	},
	{
		"S1", "the grace is not kept", "tenure.go",
		"c.by.ttl-c.opts.margin-c.opts.grace, start",
		"c.by.ttl-c.opts.margin, start",
	},
	{
		"relinquish", "a term is relinquished too late", "schedule.go",
		"return after - now.Since(since)",
		"return after*3/2 - now.Since(since)",
	},
	{
		"health", "whoever is unhealthy claims the seat", "campaign.go",
		"!c.sight.Rec.Ask.Pauses() && c.health.well()",
		"!c.sight.Rec.Ask.Pauses()",
	},
	{
		"health", "an unhealthy leader leads on", "health.go",
		"h.failed >= h.failures }",
		"h.failed > h.failures }",
	},
	{
		"requests", "the seat is taken during a pause", "campaign.go",
		"!c.sight.Rec.Ask.Pauses() && c.health.well()",
		"c.health.well()",
	},
	{
		"requests", "a leader leads on although it was asked to go", "campaign.go",
		"\t\tc.heed(rec.Ask)\n",
		"",
	},
	{
		"priority", "the seat is not left to the node that it is transferred to", "internal/election/law.go",
		"\t\treturn hold\n",
		"\t\treturn hold / 2\n",
	},
	{
		"priority", "the seat is not left to those of a higher priority", "internal/election/law.go",
		"return time.Duration(rec.RivalsAhead(c.Node, c.Priority)) * c.Hold",
		"return 0",
	},
	{
		"follower", "a leader is believed in for too long", "follower.go",
		"now + rec.TTL() + margin",
		"now + 2*rec.TTL() + margin",
	},
}

// sabotageSeeds is after how many seeds a sabotage counts as not found.
const sabotageSeeds = 2000

// TestSabotage breaks one rule after another and demands that the simulation
// finds it: a check that can't fail is worth nothing.
func TestSabotage(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the simulation once for each sabotage")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	sound := filepath.Join(dir, "sound.test")
	if err := build(t.Context(), root, sound, nil); err != nil {
		t.Fatal(err)
	}
	t.Run("rule", func(t *testing.T) {
		for i, s := range sabotages {
			t.Run(s.rule+" "+s.how, func(t *testing.T) {
				t.Parallel()
				broken := filepath.Join(dir, fmt.Sprintf("broken%d.test", i))
				if err := build(t.Context(), root, broken, &s); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				found, err := violation(t.Context(), broken, "SIM_SEED=")
				if err != nil {
					t.Fatal(err)
				}
				if found == nil {
					t.Fatalf("none of %d seeds finds it", sabotageSeeds)
				}
				t.Logf("found by seed %s in %v: %s", found.seed, time.Since(began).Round(time.Millisecond), found.what)
				found, err = violation(t.Context(), sound, "SIM_SEED="+found.seed)
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

// build compiles the simulation, with the production code sabotaged.
func build(ctx context.Context, root, to string, s *sabotage) error {
	args := []string{"test", "-c", "-o", to}
	if s != nil {
		file := filepath.Join(root, filepath.FromSlash(s.file))
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if n := bytes.Count(text, []byte(s.old)); n != 1 {
			return fmt.Errorf("%s has %d times, not once:\n%s\nadapt the sabotage to the code", s.file, n, s.old)
		}
		broken := to + ".go"
		if err := os.WriteFile(broken, bytes.Replace(text, []byte(s.old), []byte(s.new), 1), 0o644); err != nil {
			return err
		}
		overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{file: broken}})
		if err != nil {
			return err
		}
		if err := os.WriteFile(to+".json", overlay, 0o644); err != nil {
			return err
		}
		args = append(args, "-overlay", to+".json")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./internal/sim")...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w\n%s", cmd.Args, err, out)
	}
	return nil
}

// found is a broken rule that a child reported.
type found struct{ seed, what string }

var report = regexp.MustCompile(marker + ` of (.*), seed (\d+): (.*)`)

// violation runs the elections in a built simulation, until a rule is broken.
// It returns nil if none is. A child that ends in any other way is an error.
func violation(ctx context.Context, binary string, environ ...string) (*found, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "-test.run=TestElections$", "-test.timeout=9m")
	cmd.Env = append(append(os.Environ(),
		"SIM_CHILD=1", "SIM_TRACE=", "SIM_FIRST=1", fmt.Sprintf("SIM_SEEDS=%d", sabotageSeeds)), environ...)
	out, err := cmd.CombinedOutput()
	m := report.FindStringSubmatch(string(out))
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil, nil
	case m != nil:
		return &found{m[2], m[1] + ": " + m[3]}, nil
	case errors.As(err, &exit):
		lines := strings.Split(string(out), "\n")
		return nil, fmt.Errorf("%w, and no report:\n%s", err, strings.Join(lines[:min(len(lines), 100)], "\n"))
	default:
		return nil, err
	}
}

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
		"compare-and-swap", "the store does not compare", "store/memory/store.go",
		"\t\t\treturn unchanged(e, found, previous)\n",
		"\t\t\treturn nil\n",
	},
	{
		"S1", "trust runs from the reply", "internal/election/answers.go",
		"m.writes.acked = attempt{rec.Beat, c.start}",
		"m.writes.acked = attempt{rec.Beat, now}",
	},
	{
		"S2", "a rival waits half the TTL", "internal/election/view.go",
		"max(v.Seen+v.Rec.TTL(), v.guard)",
		"max(v.Seen+v.Rec.TTL()/2, v.guard)",
	},
	{
		"S2", "a rival waits from before it read", "internal/election/view.go",
		"v.Known, v.Pair, v.Rec, v.Seen = true, pair, rec, now",
		"v.Known, v.Pair, v.Rec, v.Seen = true, pair, rec, now-rec.TTL()/8",
	},
	{
		"S2", "a record that vanished is not waited for", "internal/election/view.go",
		"v.guard = max(v.guard, now+v.Rec.TTL())",
		"v.guard = max(v.guard, now)",
	},
	{
		"S3", "IsLeader is a flag", "internal/lease/lease.go",
		"{ return l.Left() > 0 }",
		"{ return !l.Over() }",
	},
	{
		"S3", "the context of work is left to a timer", "internal/lease/lease.go",
		"\tl.Left() // ends it, when it has run out\n",
		"",
	},
	{
		"suspension", "nobody is told that the machine was suspended", "internal/lease/lease.go",
		"\tl.jumps.Add(l)\n",
		"",
	},
	{
		"S4", "sleep does not count", "internal/clock/clock.go",
		"return max(i.Mono-earlier.Mono, time.Duration(i.Wall-earlier.Wall))",
		"return i.Mono - earlier.Mono",
	},
	{
		"S5", "an unknown outcome is taken for success", "internal/election/answers.go",
		"\tm.writes.unknown = true\n\tm.calls.fails++\n",
		"\tif rec := c.step.Record; !refused && rec.Held() {\n" +
			"\t\tm.writes.acked = attempt{rec.Beat, c.start}\n" +
			"\t\tm.see(&store.KVPair{Value: rec.Encode()}, rec, now.Mono)\n" +
			"\t\tm.settle(now)\n\t\treturn\n\t}\n" +
			"\tm.writes.unknown = true\n\tm.calls.fails++\n",
	},
	{
		"S5", "a claim that was read back is trusted", "internal/election/answers.go",
		"case rec.Beat != m.writes.acked.beat:",
		"case rec.Beat != m.writes.acked.beat && !m.hasTerm():\n\t\t\tm.writes.acked = attempt{rec.Beat, now}\n\t\t\tm.begin(rec)\n\t\tcase rec.Beat != m.writes.acked.beat:",
	},
	{
		"S5", "a renewal that was read back is trusted", "internal/election/answers.go",
		"case rec.Beat != m.writes.acked.beat:",
		"case rec.Beat != m.writes.acked.beat && m.hasTerm():\n\t\t\tm.tell(Event{Kind: Renewed, Start: now})\n\t\tcase rec.Beat != m.writes.acked.beat:",
	},
	{
		"S6", "a stuck call is repeated", "internal/election/step.go",
		"\tcase m.call != nil:\n",
		"\tcase m.call != nil && at < m.call.start.Mono+m.call.step.Limit:\n",
	},
	{
		"S7", "a late renewal revives a term", "internal/lease/lease.go",
		"\tif !l.Valid() {\n\t\treturn false\n\t}\n\tl.start.Store(&start)",
		"\tl.start.Store(&start)\n\tl.why.Store(nil)",
	},
	{
		"S7", "a term that has run out is not over", "internal/lease/lease.go",
		"\t\t\tl.End(l.lapse)\n\t\t\treturn 0",
		"\t\t\treturn 0",
	},
	{
		"S8", "the seat is given up before the work has returned", "internal/election/machine.go",
		"if !m.hasTerm() || !t.over || t.working {",
		"if !m.hasTerm() || !t.over {",
	},
	{
		"S9", "a stale true is delivered", "internal/relay/relay.go",
		"bool { return last != none && (last != current || !live(last)) }",
		"bool { return false }",
	},
	{
		"S9", "the false after a true is dropped", "internal/relay/relay.go",
		"return none, last != current || !live(last)",
		"return current, last != current && live(current)",
	},
	{
		"S9", "a slow listener holds up the campaign", "internal/relay/relay.go",
		"bool { return last != none && (last != current || !live(last)) }",
		"bool { return last != none && !live(last) }",
	},
	{
		"grace", "the grace is not kept", "options.go",
		"return ttl - o.margin - o.grace",
		"return ttl - o.margin",
	},
	{
		"relinquish", "a term is relinquished too late", "internal/election/schedule.go",
		"return s.After - now.Since(since)",
		"return s.After*3/2 - now.Since(since)",
	},
	{
		"health", "one that is unhealthy claims the seat", "internal/election/step.go",
		"&& m.health.well && (verdict",
		"&& (verdict",
	},
	{
		"health", "an unhealthy leader leads on", "health.go",
		"h.failed >= h.failures }",
		"h.failed > h.failures }",
	},
	{
		"requests", "the seat is taken during a pause", "internal/election/law.go",
		"\tcase v.Rec.Ask.Pauses():\n\t\treturn MustNot, free\n",
		"",
	},
	{
		"requests", "a leader leads on although it was asked to go", "internal/election/answers.go",
		"\t\t\tm.obey(rec.Ask)\n",
		"",
	},
	{
		"requests", "a holder that was asked to go is renewed", "internal/election/law.go",
		"case holds && v.Rec.Ask.ReasonToGo(c.Node) != \"\":",
		"case holds && v.Known && !v.Known:",
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
				found, err := violation(t.Context(), broken, "TestElections$", "SIM_SEED=")
				if err != nil {
					t.Fatal(err)
				}
				if found == nil {
					t.Fatalf("none of %d seeds finds it", sabotageSeeds)
				}
				t.Logf("found by seed %s in %v: %s", found.seed, time.Since(began).Round(time.Millisecond), found.what)
				found, err = violation(t.Context(), sound, "TestElections$", "SIM_SEED="+found.seed)
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

// violation plays elections, or rounds, in a built simulation, until a rule is broken.
// It returns nil if none is. A child that ends in any other way is an error.
func violation(ctx context.Context, binary, play string, environ ...string) (*found, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "-test.run="+play, "-test.timeout=9m")
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

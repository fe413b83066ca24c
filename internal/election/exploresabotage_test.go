package election

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/sabotage"
)

// change is a sabotage.Change.
type change struct{ Rule, How, File, Old, New string }

// sabotages break the rules that are in this package. Each is found in the exploration of
// one plan.
var sabotages = []struct {
	plan string
	change
}{
	{"two", change{
		"S1", "trust runs from the reply", "internal/election/answers.go",
		"m.writes.acked = attempt{rec.Beat, c.start}",
		"m.writes.acked = attempt{rec.Beat, c.start}\n\t\tif BROKEN {\n\t\t\tm.writes.acked.start = now\n\t\t}",
	}},
	{"two", change{
		"S2", "a rival waits half the TTL", "internal/election/view.go",
		"\t\treturn max(v.Seen+stands, v.guard)\n",
		"\t\tif BROKEN {\n\t\t\treturn max(v.Seen+stands/2, v.guard)\n\t\t}\n\t\treturn max(v.Seen+stands, v.guard)\n",
	}},
	{"two", change{
		"S2", "a rival waits from before it read", "internal/election/view.go",
		"\tv.Known, v.Pair, v.Rec, v.Seen = true, pair, rec, now\n",
		"\tv.Known, v.Pair, v.Rec, v.Seen = true, pair, rec, now\n\tif BROKEN {\n\t\tv.Seen -= rec.TTL() / 4\n\t}\n",
	}},
	{"vanish", change{
		"S2", "a record that vanished is not waited for", "internal/election/view.go",
		"\t\tv.guard = max(v.guard, now+v.Rec.Outlives())\n",
		"\t\tif !BROKEN {\n\t\t\tv.guard = max(v.guard, now+v.Rec.Outlives())\n\t\t}\n",
	}},
	{"two", change{
		"S5", "an unknown outcome is taken for success", "internal/election/answers.go",
		"\tm.writes.unknown = true\n\tm.calls.fails++\n",
		"\tif rec := c.step.Record; BROKEN && !refused && rec.Held() {\n" +
			"\t\tm.writes.acked = attempt{rec.Beat, c.start}\n" +
			"\t\tm.see(&store.KVPair{Value: rec.Encode()}, rec, now.Mono)\n" +
			"\t\tm.settle(now, c.start)\n\t\treturn\n\t}\n" +
			"\tm.writes.unknown = true\n\tm.calls.fails++\n",
	}},
	{"failover", change{
		"S5", "a claim that was read back is trusted", "internal/election/answers.go",
		"case rec.Beat != m.writes.acked.beat: // it",
		"case BROKEN && rec.Beat != m.writes.acked.beat && !m.hasTerm():\n\t\t\tm.writes.acked = attempt{rec.Beat, now}\n\t\t\tm.begin(rec)\n\t\tcase rec.Beat != m.writes.acked.beat: // it",
	}},
	{"failover", change{
		"S5", "a renewal that was read back is trusted", "internal/election/answers.go",
		"case rec.Beat != m.writes.acked.beat: // it",
		"case BROKEN && rec.Beat != m.writes.acked.beat && m.hasTerm():\n\t\t\tm.tell(Event{Kind: Renewed, Start: now})\n\t\tcase rec.Beat != m.writes.acked.beat: // it",
	}},
	{"two", change{
		"S6", "a stuck call is repeated", "internal/election/step.go",
		"\tcase m.call != nil:\n",
		"\tcase m.call != nil && (!BROKEN || at < m.call.start.Mono+m.call.step.Limit):\n",
	}},
	{"two", change{
		"terms", "one that has run out begins again", "internal/election/answers.go",
		"|| rec.Token <= m.leave.endedToken {\n\t\treturn\n",
		"|| rec.Token <= m.leave.endedToken && !BROKEN {\n\t\treturn\n",
	}},
	{"work", change{
		"S8", "the seat is given up before the work has returned", "internal/election/machine.go",
		"if !m.hasTerm() || !t.over || t.working {",
		"if !m.hasTerm() || !t.over || t.working && !BROKEN {",
	}},
	{"two", change{
		"tokens", "a term has the token of the one before", "internal/election/record.go",
		"\treturn max(highest+1, uint64(",
		"\tif BROKEN {\n\t\treturn max(highest, 1)\n\t}\n\treturn max(highest+1, uint64(",
	}},
	{"ride", change{
		"S11", "a term is taken before its session is ended", "internal/election/ride.go",
		"\treturn r.Session != \"\" && !r.Ended() && (",
		"\treturn !BROKEN && r.Session != \"\" && !r.Ended() && (",
	}},
	{"ride lost", change{
		"S11", "a session is ended before its trust is over", "internal/election/ride.go",
		"\t\treturn max(r.TTL(), r.Ride.Rec.TTL())\n",
		"\t\tif BROKEN {\n\t\t\treturn max(r.TTL(), r.Ride.Rec.TTL()) / 2\n\t\t}\n\t\treturn max(r.TTL(), r.Ride.Rec.TTL())\n",
	}},
	{"ride unrecord", change{
		"S11", "a missing session counts as ended at once", "internal/election/ride.go",
		"\treturn r.Ride != nil && r.Ride.Pair != nil && !r.Ride.Rec.Held()\n",
		"\treturn r.Ride != nil && (r.Ride.Pair != nil || BROKEN) && !r.Ride.Rec.Held()\n",
	}},
	{"ride failover", change{
		"S5", "a claim that rides and was read back is trusted", "internal/election/answers.go",
		"case rec.Beat != m.writes.acked.beat: // it",
		"case BROKEN && rec.Session != \"\" && rec.Beat != m.writes.acked.beat && !m.hasTerm():\n\t\t\tm.writes.acked = attempt{rec.Beat, now}\n\t\t\tm.begin(rec)\n\t\tcase rec.Beat != m.writes.acked.beat: // it",
	}},
	{"ride vanish", change{
		"S11", "a term that rides and vanished is waited for as others are", "internal/election/ride.go",
		"\tif r.Session != \"\" {\n\t\treturn 2 * r.TTL()\n",
		"\tif r.Session != \"\" && !BROKEN {\n\t\treturn 2 * r.TTL()\n",
	}},
	{"relinquish", change{
		"relinquish", "a term is relinquished too late", "internal/election/schedule.go",
		"\treturn s.After - now.Since(since)",
		"\tif BROKEN {\n\t\treturn s.After*3/2 - now.Since(since)\n\t}\n\treturn s.After - now.Since(since)",
	}},
	{"ill", change{
		"health", "one that is unhealthy claims the seat", "internal/election/step.go",
		"&& m.health.well && (m.by",
		"&& (m.health.well || BROKEN) && (m.by",
	}},
	{"ill", change{
		"health", "an unhealthy leader leads on", "internal/election/machine.go",
		"\tcase m.health.ill:\n",
		"\tcase m.health.ill && !BROKEN:\n",
	}},
	{"ask", change{
		"requests", "the seat is taken during a pause", "internal/election/law.go",
		"\tcase v.Rec.Ask.Pauses():\n",
		"\tcase v.Rec.Ask.Pauses() && !BROKEN:\n",
	}},
	{"ask", change{
		"requests", "a leader leads on although it was asked to go", "internal/election/answers.go",
		"\t\t\tm.obey(rec.Ask)\n",
		"\t\t\tif !BROKEN {\n\t\t\t\tm.obey(rec.Ask)\n\t\t\t}\n",
	}},
	{"ask", change{
		"requests", "a pause is forgotten when the seat is given up", "internal/election/request.go",
		"\tif r == nil || r.Do == Transfer || r.Do == Pause {\n\t\treturn r",
		"\tif r == nil || r.Do == Transfer || r.Do == Pause && !BROKEN {\n\t\treturn r",
	}},
	{"priority", change{
		"priority", "the seat is not left to the node that it is transferred to", "internal/election/law.go",
		"\t\treturn hold\n",
		"\t\tif BROKEN {\n\t\t\treturn hold / 2\n\t\t}\n\t\treturn hold\n",
	}},
	{"priority", change{
		"priority", "the seat is not left to those of a higher priority", "internal/election/law.go",
		"\treturn time.Duration(rec.RivalsAhead(c.Node, c.Priority)) * c.Hold",
		"\tif BROKEN {\n\t\treturn 0\n\t}\n\treturn time.Duration(rec.RivalsAhead(c.Node, c.Priority)) * c.Hold",
	}},
	{"two", change{
		"liveness", "a write whose outcome is unknown is not read back", "internal/election/step.go",
		"\tcase m.writes.unknown:\n\t\treturn m.lookSoon(",
		"\tcase m.writes.unknown:\n\t\tif BROKEN {\n\t\t\treturn Step{Until: clock.Never}\n\t\t}\n\t\treturn m.lookSoon(",
	}},
	{"two", change{
		"liveness", "a rival waits for ever for one that has crashed", "internal/election/step.go",
		"\tclaimable := able && at >= free\n",
		"\tclaimable := able && at >= free && !(BROKEN && m.view.Rec.Held())\n",
	}},
	{"work", change{
		"liveness", "one whose work has returned does not stand again", "internal/election/machine.go",
		"\t\tm.leave.notBefore = now + m.pollAfter(m.cfg.Retry)\n",
		"\t\tif m.leave.notBefore = now + m.pollAfter(m.cfg.Retry); BROKEN {\n\t\t\tm.leave.notBefore = clock.Never\n\t\t}\n",
	}},
}

// TestExplorationFindsSabotage breaks one rule after another, and demands that the
// exploration of a plan finds it.
func TestExplorationFindsSabotage(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the tests once more")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	changes := make([]sabotage.Change, len(sabotages))
	for i, s := range sabotages {
		changes[i] = sabotage.Change(s.change)
	}
	overlay, err := sabotage.Write(root, dir, changes)
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "broken.test")
	if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", binary, "-overlay", overlay, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for i, s := range sabotages {
		t.Run(s.Rule+" "+s.How, func(t *testing.T) {
			began := time.Now()
			cmd := exec.CommandContext(t.Context(), binary, "-test.run=^TestExplore$/^"+s.plan+"$", "-test.timeout=2m")
			cmd.Env = append(os.Environ(), sabotage.Variable+"="+strconv.Itoa(i))
			out, err := cmd.Output()
			var exit *exec.ExitError
			if err == nil || !errors.As(err, &exit) || !bytes.Contains(out, []byte(found)) {
				t.Fatalf("it is not found: %v\n%s", err, out)
			}
			_, told, _ := strings.Cut(string(out), found)
			told, _, _ = strings.Cut(told, end)
			t.Logf("found in %v:\n%s", time.Since(began).Round(time.Millisecond), told)
		})
	}
}

// found and end stand around the interaction in which a rule is broken.
const found, end = "found: ", "\n-- end --"

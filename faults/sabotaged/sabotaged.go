// Package sabotaged builds workers in which a rule of the election is broken, which runs
// under faults have to find.
package sabotaged

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/seed-a1d591d3/leadership/internal/sabotage"
)

// change is a sabotage.Change.
type change struct{ Rule, How, File, Old, New string }

// changes are what is broken, one at a time.
var changes = []change{
	{
		"S1", "trust runs from the reply", "internal/election/answers.go",
		"m.writes.acked = attempt{rec.Beat, c.start}",
		"m.writes.acked = attempt{rec.Beat, c.start}\n\t\tif BROKEN {\n\t\t\tm.writes.acked.start = now\n\t\t}",
	},
	{
		"S2", "a rival waits half the TTL", "internal/election/view.go",
		"\t\treturn max(v.Seen+v.Rec.TTL(), v.guard)\n",
		"\t\tif BROKEN {\n\t\t\treturn max(v.Seen+v.Rec.TTL()/2, v.guard)\n\t\t}\n\t\treturn max(v.Seen+v.Rec.TTL(), v.guard)\n",
	},
	{
		"S3", "IsLeader is a flag", "internal/lease/lease.go",
		"{ return l.Left() > 0 }",
		"{ return BROKEN && !l.Over() || !BROKEN && l.Left() > 0 }",
	},
	{
		"S3", "the context of work is left to a timer", "internal/lease/lease.go",
		"\tl.Left() // ends it, when it has run out\n",
		"\tif !BROKEN {\n\t\tl.Left()\n\t}\n",
	},
	{
		"S5", "an unknown outcome is taken for success", "internal/election/answers.go",
		"\tm.writes.unknown = true\n\tm.calls.fails++\n",
		"\tif rec := c.step.Record; BROKEN && !refused && rec.Held() {\n" +
			"\t\tm.writes.acked = attempt{rec.Beat, c.start}\n" +
			"\t\tm.see(&store.KVPair{Value: rec.Encode()}, rec, now.Mono)\n" +
			"\t\tm.settle(now)\n\t\treturn\n\t}\n" +
			"\tm.writes.unknown = true\n\tm.calls.fails++\n",
	},
	{
		"S6", "a stuck call is repeated", "internal/election/step.go",
		"\tcase m.call != nil:\n",
		"\tcase m.call != nil && (!BROKEN || at < m.call.start.Mono+m.call.step.Limit):\n",
	},
	{
		"S8", "the seat is given up before the work has returned", "internal/election/machine.go",
		"if !m.hasTerm() || !t.over || t.working {",
		"if !m.hasTerm() || !t.over || t.working && !BROKEN {",
	},
}

// Sabotages returns what is broken, by the numbers that Environ takes: the rule, and how.
func Sabotages() []string {
	var all []string
	for _, c := range changes {
		all = append(all, c.Rule+" "+c.How)
	}
	return all
}

// Environ is what the environment of a worker needs so that the sabotage of that number
// is made.
func Environ(number int) string { return sabotage.Variable + "=" + strconv.Itoa(number) }

// write writes into dir what the go command needs, and returns the argument of its
// -overlay. root is the folder of the root module.
func write(root, dir string) (string, error) {
	all := make([]sabotage.Change, len(changes))
	for i, c := range changes {
		all[i] = sabotage.Change(c)
	}
	return sabotage.Write(root, dir, all)
}

// Build builds a worker in which each sabotage can be made, and returns the path of the
// program, in dir. root is the folder of the root module.
func Build(ctx context.Context, root, dir string) (string, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return "", fmt.Errorf("sabotaged: %w", err)
	}
	overlay, err := write(root, dir)
	if err != nil {
		return "", fmt.Errorf("sabotaged: %w", err)
	}
	to := filepath.Join(dir, "worker")
	cmd := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "-o", to, "./cmd/worker")
	cmd.Dir = filepath.Join(root, "faults")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("sabotaged: %v: %w\n%s", cmd.Args, err, out)
	}
	return to, nil
}

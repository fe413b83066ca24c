package history_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/history"
)

// forge makes the logs of an election from lines that begin with who writes them: node
// and incarnation, such as "a.1". "resource" and "runner" are no nodes; "f.1" follows.
func forge(t *testing.T, text string) []*history.Log {
	t.Helper()
	logs := make(map[string]*history.Log)
	var all []*history.Log
	for line := range strings.Lines(text) {
		who, line, _ := strings.Cut(strings.TrimSpace(line), " ")
		if who == "" {
			continue
		}
		log := logs[who]
		if log == nil {
			log = &history.Log{Path: who}
			switch {
			case who == history.Resource, who == history.Runner:
				log.Role = who
			default:
				log.Process = history.Process{Role: history.Worker, Key: "k", TTL: 10, Retry: 5}
				if _, err := fmt.Sscanf(strings.Replace(who, ".", " ", 1), "%s %d", &log.Node, &log.Incarnation); err != nil {
					t.Fatal(err)
				}
				if log.Node == "f" {
					log.Mode = history.Following
				}
			}
			logs[who] = log
			all = append(all, log)
		}
		read, err := history.Read(strings.NewReader(header + line + "\n"))
		if err != nil {
			t.Fatal(err)
		}
		log.Lines = append(log.Lines, read.Lines...)
	}
	return all
}

// forged are histories, each as it would be right, and with what is wrong: a line in
// place of another.
var forged = []struct {
	kind, what  string
	common      string
	right, left string
	by          string
}{
	{
		history.Overlap, "a leader that was paused says yes after another has",
		"a.1 ask 10 11 Term yes 1\n b.1 ask 30 31 Term yes 2\n b.1 ask 40 41 Term yes 2",
		"a.1 ask 31 42 Term yes 1", "a.1 ask 32 42 Term yes 1", "Term",
	},
	{
		history.Overlap, "the context of the first is open still",
		"a.1 ask 10 11 Err yes 1\n b.1 ask 30 31 Term yes 2",
		"a.1 ask 29 60 Err yes 1", "a.1 ask 59 60 Err yes 1", "Err",
	},
	{
		history.Overlap, "a command runs beside the next",
		"a.1 ask 10 11 Runs yes 1\n b.1 ask 30 31 Runs yes 2",
		"a.1 ask 30 30 Runs yes 1", "a.1 ask 32 32 Runs yes 1", "Runs",
	},
	{
		history.Overlap, "a channel is open within a term of another",
		"b.1 ask 30 31 Term yes 2\n b.1 ask 40 41 Term yes 2",
		"a.1 ask 31 33 Done yes 1", "a.1 ask 32 33 Done yes 1", "Done",
	},
	{
		history.Overlap, "a flag that tells no token stays up in the term of another",
		"a.1 ask 10 11 Term yes 1\n b.1 ask 30 31 Term yes 2\n b.1 ask 40 41 Term yes 2",
		"a.1 ask 32 40 IsLeader yes 0", "a.1 ask 32 39 IsLeader yes 0", "IsLeader",
	},
	{
		history.Overlap, "an answer that tells no token is of the term around it",
		"a.1 ask 10 11 Term yes 1\n a.1 ask 40 41 IsLeader yes 0\n a.1 ask 50 51 Term yes 1",
		"b.1 ask 49 50 IsLeader yes 2", "b.1 ask 30 31 Term yes 2", "IsLeader",
	},
	{
		history.Overlap, "the same process leads by an old term and by a new one",
		"a.1 ask 10 11 Err yes 1\n a.1 ask 30 31 Err yes 2",
		"a.1 ask 31 34 Err yes 1", "a.1 ask 33 34 Err yes 1", "Err",
	},
	{
		history.Overlap, "a node that was started again leads beside what it was",
		"a.1 ask 10 11 Term yes 1\n a.2 ask 30 31 Term yes 2",
		"a.1 ask 30 50 Term yes 1", "a.1 ask 49 50 Term yes 1", "Term",
	},
	{
		history.TokenOrder, "the later leader has the lower token",
		"a.1 ask 10 11 Term yes 5\n a.1 ask 20 21 Term yes 5",
		"b.1 ask 30 31 Term yes 6", "b.1 ask 30 31 Term yes 4", "Term",
	},
	{
		history.TokenTwice, "two lead by one token",
		"a.1 ask 10 11 Term yes 5",
		"b.1 ask 30 31 Term yes 6", "b.1 ask 30 31 Term yes 5", "Term",
	},
	{
		history.TokenTwice, "a node leads again by the token that it had before it was killed",
		"a.1 ask 10 11 Term yes 5",
		"a.2 ask 30 31 Term yes 6", "a.2 ask 30 31 Term yes 5", "Term",
	},
	{
		history.AfterEnd, "a leader says yes after its context had ended",
		"a.1 ask 10 11 Term yes 1\n a.1 ask 20 21 Err no 1",
		"a.1 ask 21 22 Term yes 1", "a.1 ask 22 23 Term yes 1", "Term",
	},
	{
		history.AfterEnd, "a leader says yes after it has said no",
		"a.1 ask 10 11 Term yes 1\n a.1 ask 21 22 Term yes 1",
		"a.1 ask 20 21 IsLeader no 0", "a.1 ask 19 20 IsLeader no 0", "Term",
	},
	{
		history.AfterEnd, "a no before the term proves nothing",
		"a.1 ask 10 11 Term yes 1\n a.1 ask 21 22 Term yes 1",
		"a.1 ask 11 12 Term no 0", "a.1 ask 12 13 Term no 0", "Term",
	},
	{
		history.AfterEnd, "a leader says yes after it has resigned",
		"a.1 ask 10 11 Term yes 1\n a.1 resign 20 25 - - 0",
		"a.1 ask 25 30 Term yes 1", "a.1 ask 26 30 Term yes 1", "Term",
	},
	{
		history.GivenUpEarly, "another leads while the work still runs",
		"a.1 work 10 10 - begun 1\n a.1 ask 10 11 Err yes 1\n a.1 left 20 21 20ns yes 1\n a.1 resign 22 22 - - 0\n b.1 ask 28 30 Term yes 2",
		"a.1 work 30 30 - ended 1", "a.1 work 31 31 - ended 1", "work",
	},
	{
		history.GivenUpEarly, "another may lead when the claim has run out",
		"a.1 work 10 10 - begun 1\n a.1 ask 10 11 Err yes 1\n a.1 resign 22 22 - - 0\n b.1 ask 28 30 Term yes 2\n a.1 work 50 50 - ended 1",
		"a.1 left 20 21 10ns yes 1", "a.1 left 20 21 11ns yes 1", "work",
	},
	{
		history.TwoWorks, "a work begins before the last has ended",
		"a.1 work 10 10 - begun 1",
		"a.1 work 15 15 - ended 1\n a.1 work 20 20 - begun 2", "a.1 work 20 20 - begun 2\n a.1 work 25 25 - ended 1", "work",
	},
	{
		history.StaleWrite, "the fence lets a lower token through",
		"a.1 write 10 11 fenced accepted 2",
		"b.1 write 11 12 fenced accepted 1", "b.1 write 12 13 fenced accepted 1", "fenced",
	},
	{
		history.StaleWrite, "the resource itself tells of it",
		"resource write 10 10 fenced accepted 2",
		"resource write 11 11 fenced refused 1", "resource write 11 11 fenced accepted 1", "fenced",
	},
	{
		history.Alternation, "a stream begins with true",
		"",
		"a.1 stream 10 10 1 no 0\n a.1 stream 10 10 1 yes 0", "a.1 stream 10 10 1 yes 0", "1",
	},
	{
		history.Alternation, "true comes twice",
		"a.1 stream 10 10 1 no 0\n a.1 stream 11 11 1 yes 0",
		"a.1 stream 12 12 1 no 0\n a.1 stream 13 13 1 yes 0", "a.1 stream 13 13 1 yes 0", "1",
	},
	{
		history.Alternation, "false comes twice",
		"a.1 stream 10 10 1 no 0",
		"a.1 stream 12 12 2 no 0", "a.1 stream 12 12 1 no 0", "1",
	},
	{
		history.Alternation, "a stream ends without the last false",
		"a.1 stream 10 10 1 no 0\n a.1 stream 11 11 1 yes 0",
		"a.1 stream 12 12 1 no 0\n a.1 stream 13 13 1 ended 0", "a.1 stream 13 13 1 ended 0", "1",
	},
	{
		history.Alternation, "a stream goes on after its end",
		"a.1 stream 10 10 1 no 0",
		"a.1 stream 11 11 1 ended 0", "a.1 stream 11 11 1 ended 0\n a.1 stream 12 12 1 yes 0", "1",
	},
	{
		history.EmptySeat, "nobody leads between two terms",
		"a.1 ask 10 11 Term yes 1\n a.1 ask 20 21 Term yes 1\n b.1 ask 39 40 Term yes 2",
		"runner sound 0 38 b - 0", "runner sound 0 39 b - 0", "b",
	},
	{
		history.EmptySeat, "nobody leads up to the end",
		"a.1 ask 10 11 Term yes 1\n a.1 ask 20 21 Term yes 1\n b.1 ask 5 5 Term no 0",
		"runner sound 0 38 b - 0", "runner sound 0 39 b - 0", "b",
	},
	{
		history.EmptySeat, "nobody leads from the beginning on",
		"b.1 ask 5 5 Term no 0\n b.1 ask 40 41 IsLeader yes 0",
		"runner sound 23 41 b - 0", "runner sound 22 41 b - 0", "b",
	},
	{
		history.EmptySeat, "a node that does not stand cannot fill it",
		"a.1 ask 5 5 Term no 0\n f.1 follow 5 5 - - 0",
		"runner sound 0 41 f - 0", "runner sound 0 41 a - 0", "a",
	},
	{
		history.LateFollower, "a follower names the last leader for long",
		"a.1 ask 10 11 Term yes 1\n b.1 ask 20 21 Term yes 2\n f.1 follow 12 12 a - 1\n runner sound 0 99 f - 0",
		"f.1 follow 38 38 b - 2", "f.1 follow 39 39 b - 2", "f",
	},
	{
		history.LateFollower, "a follower that could not look is excused",
		"a.1 ask 10 11 Term yes 1\n b.1 ask 20 21 Term yes 2\n f.1 follow 12 12 a - 1\n f.1 follow 60 60 b - 2",
		"runner sound 43 99 f - 0", "runner sound 42 99 f - 0", "f",
	},
	{
		history.TwoWinners, "a round has two winners",
		"a.1 round 10 11 r/1 won 0\n a.2 round 12 13 r/1 won 0\n b.1 round 10 11 r/2 won 0",
		"b.1 round 12 13 r/1 lost 0", "b.1 round 12 13 r/1 won 0", "r/1",
	},
	{
		history.Leak, "goroutines are left over",
		"a.1 vitals 1 1 goroutines begun 4\n a.1 vitals 2 2 goroutines running 30",
		"a.1 vitals 9 9 goroutines ended 4", "a.1 vitals 9 9 goroutines ended 5", "goroutines",
	},
	{
		history.Leak, "descriptors grow",
		"a.1 vitals 1 1 descriptors begun 4\n a.1 vitals 2 2 descriptors running 10\n a.1 vitals 3 3 descriptors running 12",
		"a.1 vitals 4 4 descriptors running 70", "a.1 vitals 4 4 descriptors running 71", "descriptors",
	},
}

// slack is such that a seat of forged histories may be empty for 17.
var slack = history.Limits{Slack: 2 * time.Nanosecond}

func TestEveryForgeryIsFound(t *testing.T) {
	kinds := make(map[string]bool)
	for _, f := range forged {
		kinds[f.kind] = true
		t.Run(f.kind+" "+f.what, func(t *testing.T) {
			if got := history.Check(forge(t, f.common+"\n"+f.right), slack).Violations; len(got) > 0 {
				t.Errorf("found in the right one: %v", got)
			}
			got := history.Check(forge(t, f.common+"\n"+f.left), slack).Violations
			if !slices.ContainsFunc(got, func(v history.Violation) bool { return v.Kind == f.kind && v.By == f.by }) {
				t.Fatalf("not found: %v", got)
			}
			for _, v := range got {
				if v.Kind != f.kind && !(f.kind == history.TokenTwice) {
					t.Errorf("found besides: %v", v)
				}
			}
			t.Log(got)
		})
	}
	for _, kind := range history.Kinds {
		if !kinds[kind] {
			t.Errorf("no history has the violation %q", kind)
		}
	}
}

func TestOverlapIsOfTheAnswersWithTheLowerToken(t *testing.T) {
	r := history.Check(forge(t, `
		a.1 ask 10 11 Term yes 1
		b.1 ask 30 31 Term yes 2
		b.1 ask 32 33 IsLeader yes 0
		b.1 ask 34 35 Err yes 2
		a.1 ask 40 41 IsLeader yes 0
		a.1 ask 42 43 Term yes 1
		b.1 ask 44 45 IsLeader yes 0
		b.1 ask 60 61 Err yes 2`), slack)
	if want := map[string]int{history.IsLeader: 1, history.Term: 1}; !maps.Equal(r.Overlaps, want) {
		t.Errorf("overlaps by %v, want %v: %v", r.Overlaps, want, r.Violations)
	}
	if want := map[string]int{history.IsLeader: 3, history.Term: 3, history.Err: 2}; !maps.Equal(r.Yes, want) || r.Terms != 2 {
		t.Errorf("yes by %v, want %v", r.Yes, want)
	}
}

func TestEmptySeatIsToldOnce(t *testing.T) {
	r := history.Check(forge(t, `
		a.1 ask 10 11 Term yes 1
		b.1 ask 10 11 Term no 0
		b.1 ask 50 51 Term yes 2
		runner sound 0 60 a - 0
		runner sound 0 30 b - 0
		runner sound 31 49 b - 0`), slack)
	if len(r.Violations) != 1 || r.Violations[0].By != "a" || r.LongestEmpty != 39 {
		t.Errorf("found %v, the longest %d", r.Violations, r.LongestEmpty)
	}
}

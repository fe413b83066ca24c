package main

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

//go:embed *.model
var texts embed.FS

// names are those of the models.
var names = []string{"clocks", "election", "lost", "round", "session", "adrift"}

// read returns the text of a model.
func read(name string) string {
	text, err := fs.ReadFile(texts, name+".model")
	if err != nil {
		panic(err)
	}
	return string(text)
}

// possible are runs in which every action of a model happens.
var possible = map[string]string{
	"election": "claim, apply, acknowledge, begin, look, renew, apply, acknowledge, renewed, note, apply, fail over, " +
		"end, return, look, give up, apply, look, claim, apply, acknowledge, answer, hear",
	"lost": "come, come, claim, apply, hear, look, look, renew, apply, hear, delete, look, renew, apply, put back, end, look, give up, apply",
	"session": "beat, claim, apply, acknowledge, begin, note, apply, fail over, rewrite, apply, acknowledge, end, return, give up, apply, " +
		"end session, beat, claim, give up session, leave",
	"adrift": "beat, beat, come, come, claim, apply, hear, look, look, find, hear of a look, delete, look, look, rewrite, apply, end, look, give up, apply, " +
		"end session, forget",
	"round": "look, claim, apply, acknowledge, trust, look, renew, apply, fail over, fail, apply, look, complete, apply, acknowledge, tell, end",
}

// sending are the actions that send a write.
var sending = []string{"claim", "renew", "give up", "note", "complete", "fail", "rewrite"}

// two are the values of each sort in a run. The TTL is 15 s, the margin a fifth of it, and
// clocks are a ninth fast or slow.
func two(model string, steps, facts []string) world {
	w := world{values: map[string][]string{"Eye": {"eye_1", "eye_2"}}, facts: facts}
	for _, s := range steps {
		if slices.Contains(sending, s) {
			w.values["Attempt"] = append(w.values["Attempt"], fmt.Sprint("A", len(w.values["Attempt"])+1))
		}
	}
	people := []string{"nobody", "anna", "ben"}
	w.values["Claimant"], w.values["Node"] = people, people
	text := strings.Join(facts, " ")
	switch {
	case strings.Contains(text, "lease"):
	case model == "session":
		w.values["Session"] = []string{"one", "two"}
		w.facts = append(w.facts, "(and (= (rides anna) one) (= (rides ben) two))")
	case model == "round":
		w.facts = append(w.facts, "(forall ((a Attempt)) (= (lease a) (wait a) 13.5))")
	default:
		w.facts = append(w.facts, drifts(12, 1.0/9)...)
	}
	if model == "election" && !strings.Contains(text, "hold") {
		w.facts = append(w.facts, "(forall ((i Int) (c Claimant)) (= (hold i c) 0.0))")
	}
	if model == "round" && !strings.Contains(text, "endless") {
		w.facts = append(w.facts, "(forall ((a Attempt)) (not (endless a)))")
	}
	return w
}

// drifts are the facts about trust that is to last for length seconds, of a TTL of 15 s,
// by clocks that are fast or slow by drift.
func drifts(length, drift float64) (facts []string) {
	for _, who := range []string{"nobody", "anna", "ben"} {
		facts = append(facts, fmt.Sprintf("(and (= (lease %[1]s) %.3[2]f) (= (wait %[1]s) %.3[3]f))", who, length/(1-drift), 15/(1+drift)))
	}
	return facts
}

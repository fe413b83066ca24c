package main

// broken is a model with a rule broken in it, as a sabotage of the tests breaks it in the
// code, and the actions of a run in which a law is broken then. Without a rule it is a
// premise that does not hold.
type broken struct {
	rule, how string
	model     string
	old, new  string // pieces of the model's text
	law       string
	steps     string
	facts     []string // in place of the world's
}

const (
	twoLead   = "two leaders"
	ledAgain  = "a term that is over is led again"
	leftAlone = "a seat that was to be left to others is taken"
)

var brokens = []broken{
	{
		"compare-and-swap", "the store does not compare", "election",
		"(when (underway a) (= (based a) current))", "(when (underway a))",
		twoLead, "claim, claim, apply, apply, acknowledge, acknowledge, begin, begin", nil,
	},
	{
		"S1", "trust runs from the reply", "election",
		"(then ((trust (owner a)) (+ (start a) (lease (owner a)))) ; from its start", "(then ((trust (owner a)) (+ now (lease (owner a))))",
		twoLead, "claim, apply, look, acknowledge, begin, claim, apply, acknowledge, begin", nil,
	},
	{
		"S2", "a rival waits half the TTL", "election",
		"(ite (= (holder (seen e)) nobody) 0.0 (wait (holder (seen e))))", "(ite (= (holder (seen e)) nobody) 0.0 (/ (wait (holder (seen e))) 2.0))",
		twoLead, "claim, apply, acknowledge, begin, look, claim, apply, acknowledge, begin", nil,
	},
	{
		"S2", "a rival waits from before it read", "election",
		"(then ((since e) (ite (= i (seen e)) (since e) now))", "(then ((since e) (ite (= i (seen e)) (since e) (- now 1.875)))",
		twoLead, "claim, apply, acknowledge, begin, look, claim, apply, acknowledge, begin", nil,
	},
	{
		"S2", "a record that vanished is not waited for", "lost",
		"(ite (> (+ now (wait (holder (seen c)))) (guard c)) (+ now (wait (holder (seen c)))) (guard c)) ; it is gone", "(guard c)",
		twoLead, "come, come, claim, apply, hear, look, delete, look, claim, apply, hear", nil,
	},
	{
		"S5", "an unknown outcome is taken for success", "election",
		"(= (phase a) acknowledged) ; to begin", "(distinct (phase a) unused)",
		twoLead, "claim, begin, claim, apply, acknowledge, begin", nil,
	},
	{
		"S5", "a claim that was read back is trusted", "election",
		"(= (phase a) acknowledged) ; to begin", "(or (= (phase a) acknowledged) (and (= (phase a) applied) (= current (made a))))",
		twoLead, "claim, apply, begin, fail over, claim, apply, acknowledge, begin", nil,
	},
	{
		"S5", "a renewal that was read back is trusted", "election",
		"(= (phase a) acknowledged) ; to go on", "(or (= (phase a) acknowledged) (and (= (phase a) applied) (= current (made a))))",
		twoLead, "claim, apply, look, acknowledge, begin, renew, apply, renewed, fail over, claim, apply, acknowledge, begin", nil,
	},
	{
		"S7", "a late renewal revives a term", "election",
		"(leads (owner a)))\n  (then ((trust (owner a)) (ite (>", "true)\n  (then ((over (owner a)) false) ((trust (owner a)) (ite (>",
		twoLead, "claim, apply, acknowledge, begin, renew, apply, acknowledge, end, give up, apply, look, claim, apply, acknowledge, begin, renewed", nil,
	},
	{
		"S7", "a term that has run out is not over", "election",
		"(leads (owner a)))\n  (then ((trust (owner a)) (ite (>", "(not (over (owner a))))\n  (then ((trust (owner a)) (ite (>",
		ledAgain, "claim, apply, acknowledge, begin, renew, apply, acknowledge, renewed", nil,
	},
	{
		"S8", "the seat is given up before the work has returned", "election",
		"(or (ended c) (< (token i) (term c)))", "(or (over c) (< (token i) (term c)))",
		twoLead, "claim, apply, acknowledge, begin, end, give up, apply, look, claim, apply, acknowledge, begin", nil,
	},
	{
		"terms", "one that has run out begins again", "election",
		"(= (phase a) acknowledged) ; to begin\n        (> (carries a) (term (owner a)))", "(= (phase a) acknowledged)\n        (>= (carries a) (term (owner a)))",
		twoLead, "claim, apply, acknowledge, begin, end, give up, apply, look, claim, apply, acknowledge, begin, begin", nil,
	},
	{
		"tokens", "a term has the token of the one before", "election",
		"(> n (token (seen e))) ; S2 and NextToken", "(>= n (token (seen e)))",
		"a term begins with a token that is not the highest", "claim, apply, acknowledge, begin, end, give up, apply, look, claim, apply, acknowledge, begin", nil,
	},
	{
		"priority", "the seat is not left to the node that it is transferred to", "election",
		"(hold (seen e) c))", "(/ (hold (seen e) c) 2.0))",
		leftAlone, "look, claim",
		[]string{"(= (hold 0 anna) (hold 0 ben) 5.0)"},
	},
	{
		"priority", "the seat is not left to those of a higher priority", "election",
		"(hold (seen e) c))", "0.0)",
		leftAlone, "look, claim",
		[]string{"(= (hold 0 anna) (hold 0 ben) 5.0)"},
	},
	{
		"claims", "trust runs from the reply", "election",
		"(- (lease (owner a)) (- now (start a)))))) ; less what it has taken", "(lease (owner a)))))",
		twoLead, "claim, apply, look, acknowledge, answer, hear, claim, apply, acknowledge, begin", nil,
	},
	{
		"claims", "the time that a claim takes is not counted", "election",
		"(- (lease (owner a)) (- now (start a)))))) ; less what it has taken", "(lease (owner a)))))",
		twoLead, "claim, apply, look, acknowledge, answer, hear, claim, apply, acknowledge, begin", nil,
	},
	{
		"register", "a write that was read back counts", "election",
		"(= (phase a) acknowledged) ; to be told", "(or (= (phase a) acknowledged) (and (= (phase a) applied) (= current (made a))))",
		twoLead, "claim, apply, answer, hear, fail over, claim, apply, acknowledge, begin", nil,
	},
	{
		"S11", "a term is taken before its session is ended", "session",
		"(dead (rides (holder i))))) ; ended before", "true))",
		twoLead, "beat, beat, claim, apply, acknowledge, begin, claim, apply, acknowledge, begin", nil,
	},
	{
		"S11", "a session is ended before its trust is over", "session",
		"(when (or (quit s) (<= (until s) now))) ; its trust is over", "",
		twoLead, "beat, beat, claim, apply, acknowledge, begin, end session, claim, apply, acknowledge, begin", nil,
	},
	{
		"S11", "a session that has ended is renewed", "session",
		"(when (not (dead s)) (not (quit s)) (< (until s) u))", "(when (< (until s) u))",
		twoLead, "beat, claim, apply, acknowledge, begin, end session, beat, claim, apply, acknowledge, begin, beat", nil,
	},
	{
		"S5", "a claim that rides and was read back is trusted", "session",
		"(= (phase a) acknowledged) ; to begin", "(or (= (phase a) acknowledged) (and (= (phase a) applied) (= current (made a))))",
		twoLead, "beat, beat, claim, apply, begin, fail over, claim, apply, acknowledge, begin", nil,
	},
	{
		"S11", "a term that rides and vanished is waited for as others are", "adrift",
		"(* 2.0 (wait c))) ; the trust by looks", "(wait c))",
		twoLead, "beat, beat, come, come, claim, apply, hear, look, delete, look, claim, apply, hear", nil,
	},
	{
		"S11", "a rider trusts its term without looking at it", "adrift",
		"(define leads ((c Claimant)) Bool (and (not (over c)) (< now (trust c)) (< now (until c))))",
		"(define leads ((c Claimant)) Bool (and (not (over c)) (< now (until c))))",
		"a term is led for long after its record has gone", "beat, come, claim, apply, hear, forget, look", nil,
	},
	{
		"rounds", "a round that was read back is won", "round",
		"(when (= (phase a) acknowledged) (or (= (kind a) completion)", "(when (or (= (phase a) acknowledged) (and (= (phase a) applied) (= current (made a)))) (or (= (kind a) completion)",
		"two have won for ever", "claim, apply, tell, fail over, claim, apply, tell",
		[]string{"(forall ((a Attempt)) (endless a))"},
	},
	{
		"rounds", "a round that was read back is completed", "round",
		"(when (= (phase a) acknowledged) (or (= (kind a) completion)", "(when (or (= (phase a) acknowledged) (and (= (phase a) applied) (= current (made a)))) (or (= (kind a) completion)",
		"two have completed the round", "claim, apply, acknowledge, look, complete, apply, tell, fail over, look, claim, apply, look, complete, apply, tell", nil,
	},
	{
		"rounds", "trust in an attempt runs from the reply", "round",
		"(then ((trust (owner a)) (ite (and (leads (owner a)) (< (+ (start a) (lease a)) (trust (owner a)))) (trust (owner a)) (+ (start a) (lease a))))",
		"(then ((trust (owner a)) (+ now (lease a)))",
		"two trust in attempts at once", "claim, apply, look, acknowledge, trust, claim, apply, acknowledge, trust", nil,
	},
	{
		"rounds", "an attempt is superseded at once", "round",
		"(>= now (+ (since c) (waits (seen c))))", "true",
		"two trust in attempts at once", "claim, apply, acknowledge, trust, look, claim, apply, acknowledge, trust", nil,
	},
	{
		"rounds", "a completed round is won again", "round",
		"(not (done (seen c)))\n        (or", "(or",
		"a completed round is won again", "claim, apply, look, complete, apply, acknowledge, tell, look, claim, apply, acknowledge", nil,
	},
	{
		"rounds", "another's attempt is completed", "round",
		"(when (= (phase a) unused) (distinct c nobody) (= (winner (seen c)) c))\n  (then ((phase a) sent) ((kind a) completion)",
		"(when (= (phase a) unused) (distinct c nobody))\n  (then ((phase a) sent) ((kind a) completion)",
		"two have completed the round", "claim, apply, look, complete, apply, acknowledge, tell, look, complete, apply, acknowledge, tell", nil,
	},
	{
		"rounds", "attempts are not counted", "round",
		"(> n (number (seen c))) ; one more", "(>= n (number (seen c)))",
		"two attempts have one number", "claim, apply, acknowledge, look, claim, apply, acknowledge", nil,
	},
	{
		"attempts", "a renewal shortens the TTL", "round",
		"(not (done (seen c)))\n        (>= (wait a) (waits (seen c)))) ; or longer", "(not (done (seen c))))",
		"two trust in attempts at once", "claim, apply, acknowledge, trust, look, renew, apply, look, claim, apply, acknowledge, trust",
		[]string{"(= (lease A1) (wait A1) (lease A3) (wait A3) 13.5)", "(= (lease A2) (wait A2) 4.5)"},
	},

	// Premises.
	{
		"", "the clocks are 12 percent fast and slow, and the margin is a fifth of the TTL", "election",
		"(and (< 0.0 (lease c)) (<= (lease c) (wait c)))", "(< 0.0 (lease c))",
		twoLead, "claim, apply, acknowledge, begin, look, claim, apply, acknowledge, begin", drifts(12, 0.12),
	},
	{
		"", "the clocks are 11 percent fast and slow, and the margin is a sixth of the TTL", "election",
		"(and (< 0.0 (lease c)) (<= (lease c) (wait c)))", "(< 0.0 (lease c))",
		twoLead, "claim, apply, acknowledge, begin, look, claim, apply, acknowledge, begin", drifts(12.5, 0.11),
	},
	{
		"", "one comes who has not seen the record that was lost", "lost",
		"(not exposed)) ; a premise", "true) ; a premise",
		twoLead, "come, claim, apply, hear, delete, come, claim, apply, hear", nil,
	},
	{
		"", "a session is given up while the work of a term that rides on it goes on", "session",
		"(when (forall ((c Claimant)) (=> (= (rides c) s) (ended c)))) ; all work has returned", "",
		twoLead, "beat, beat, claim, apply, acknowledge, begin, end, give up session, end session, claim, apply, acknowledge, begin", nil,
	},
	{
		"", "a seat is taken that was left, while the work of its term goes on", "session",
		"(for (c Claimant)) (when (ended c)) (then ((left c) true)))", "(for (c Claimant)) (when (over c)) (then ((left c) true)))",
		twoLead, "beat, beat, claim, apply, acknowledge, begin, end, leave, claim, apply, acknowledge, begin", nil,
	},
	{
		"", "the look by which a rider trusts its term is stale", "adrift",
		"(= (holder top) c)) ; a premise", "true) ; a premise",
		"a term is led for long after its record has gone", "beat, come, claim, apply, hear, look, forget, find, hear of a look, look", nil,
	},
}

// outside are the sabotages of rules that the models cover which they do not have, and
// why.
var outside = map[string]string{
	"S5 a record that a copy of the machine wrote is taken for one's own": "in the models an instance is one process",
	"S11 a term that was left on a living session is taken at once":       "in the models an instance is one process",
	"claims a term that has run out is renewed":                           "the models permit it: a holder takes back no term that is over by its own count",
	"claims a term that was put back is renewed while another may lead":   "lost.model has no servers, and there all have seen the term that was lost",
	"claims a term that has ended and is put back is renewed":             "likewise",
	"claims a copy of a holder renews for ever":                           "in the models an instance is one process",
	"claims another term's token is good":                                 "the models permit it: a token is compared where trust begins",
	"rounds an attempt that vanished, or was put back, is not waited for": "it is the View of elections, which lost.model has",
	"rounds the work of Do goes on after its attempt":                     "it is the Lease of elections, which election.model has",
	"rounds an attempt that is over ends one that began after it":         "it is about how soon a node begins again, not about two",
	"S11 a missing session counts as ended at once":                       "a session is an election: lost.model has what is missing",
	"rounds sleep does not count for an attempt":                          "the models have one clock for each node, which goes on",
}

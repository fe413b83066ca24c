// Package election is the law of an election: what a record says, what an observer may
// conclude from it, and what a candidate does next. It is pure: it has no goroutines,
// clock, store, context or channels; whoever drives it brings instants and answers, and
// takes steps and events.
package election

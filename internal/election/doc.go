// Package election is the law of an election: what a record says, what an observer may
// conclude from it, and what a candidate does next. It is pure: it has no goroutines,
// clock, store, context or channels. Its driver tells it what has happened and when, and
// acts on the events and steps that follow. The files in testdata show what that comes
// to in each situation: read those first.
package election

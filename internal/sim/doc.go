// Package sim plays whole elections in virtual time, each from a seed: a
// handful of candidates and a follower on one store, with clocks that run at
// different rates, machines that sleep and processes that pause, a network
// that delays, loses and cuts, a store whose standby is cut off, and promoted without
// what was shown and not acknowledged, people who stop, resign and restart, and an
// operator who deletes the record or puts an old one back. In about a third of
// the seeds there are holders as well, who lead by asking servers as package httpapi
// documents it: servers pause and crash, requests and answers are late or lost, and
// holders resign, and ask others, or two at once. In about a third some candidates ride on
// sessions, each in two elections: then there are times in which a process can reach its sessions
// alone, or all but those, an operator deletes the records of sessions and puts old ones back,
// and the store may forget what it has acknowledged. A checker holds what happens
// against the safety rules S1 to S9, S11 and the invariants of the proof (internal/invariants)
// at every event, and, when the faults are over, that one leader stands and goes on standing.
//
// Rounds are played in worlds of their own, on the same kind of machines and links: nodes
// ask for jobs, do them, complete them or fail, crash and come back. The checker holds that
// no two nodes trust in an attempt at once, nor for longer than their last write allows, that
// the numbers of attempts rise, that one node completes a job, and that each is done
// in the end.
//
// All of it is in the tests:
//
//	go test ./internal/sim                                  # 300 seeds, from 1
//	SIM_SEEDS=5000 SIM_FIRST=1000 go test ./internal/sim    # others
//	SIM_SEED=1234 go test ./internal/sim -run 'TestElections$'  # one again; or TestRounds
//
// A seed gives the same history each time: chance is a function of the seed, of
// the virtual instant, and of what asks, and nearly no two events fall on the
// same instant.
//
// TestSabotage breaks one safety rule of the production code at a time, and
// demands that the simulation finds it, or a test of the root package.
package sim

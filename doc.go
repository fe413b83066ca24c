// Package leadership lets the instances of a service agree on one leader, over
// the key/value store that they already run.
//
// A [Candidate] stands in an election and learns of its own leadership: by
// [Candidate.RunForElection] over a channel, or by [Candidate.Run], which runs
// a function while it leads; or by callbacks ([WithCallbacks]), a range loop
// ([Candidate.Changes]), or a channel for each kind of change ([Candidate.RunForSignals]).
// A [Follower] learns who leads. A
// [Round] elects one winner for one job, once and for all, and [Rounds] lists and deletes
// them. A [Group] stands in many elections at once; the terms of candidates that share a
// [Session] are kept by one record. [Claims] claims and renews seats for
// holders elsewhere that ask, as package httpapi does for programs in other languages.
//
// A leader gives up its seat after a time or at one ([WithRelinquishAfter],
// [WithRelinquishSchedule]), while it is unhealthy ([WithHealthCheck]), and when it
// is asked to by an operator ([Ask]), who may also name the next, or have the seat
// stay empty. [WithPriority] tells who is preferred at a vacancy.
//
// # What is promised
//
// At no instant do two candidates of one election both find that they lead, by
// [Candidate.IsLeader], [Candidate.Term] or the Err and Done of a context that
// [Candidate.Run] gave to its work; whatever the network, the store's replies and the
// scheduler do. All of them are computed from the clock when they are called.
// This rests on three things: that the store compares and swaps, that it keeps what it
// has acknowledged (see below for what happens where it does not), and that the clocks of two machines do not run at speeds that differ by more than the
// margin allows, with the default, a fifth of the TTL, 11 percent either way.
// It does not matter what time they show.
//
// Every term has a fencing token ([Term].Token) that is higher than those of
// all terms before it, as long as the store keeps the record.
//
// A leader that crashes is replaced one TTL after a rival has seen its last renewal,
// which takes up to a retry interval where no watch shows it; one that resigns, at once.
//
// # What is not
//
// A process may be paused for any time between the answer that it leads and what it
// does then. No election can cover that. Where it matters, send the token along, and let
// the receiver refuse a token that is lower than the highest that it has seen: package
// fence has the checks.
//
// A context derived from that of the work, and a channel that Done returned earlier,
// do not read the clock. They are closed when something notices that the term is over: a
// timer, or a call of Err or Done of the work's own context, of IsLeader, Term or
// TermFromContext. If the process was paused, its code may run again before that timer
// does, and find them still open. So ask one of those calls before each step that only a
// leader may take; where there is only a derived context, call [TermFromContext] with it,
// and then its Err. The same goes for the context that [Round.Do] gives to its work, and
// for the channels and callbacks that tell of changes. After the machine was suspended,
// all of them end, or tell, within 250 ms, whatever the TTL.
//
// A store that loses the record, or goes back to an older one, forgets who
// leads. Candidates that saw the record wait for its TTL all the same, and the
// leader writes it again; but a candidate that never saw it takes the seat at
// once, and until the old leader looks, or its trust runs out, there are two.
// Deleting the record by hand does that too. The token of the new term is
// higher even then, if the wall clocks of the two machines agree, because a token
// is at least the time in milliseconds at which its term began.
//
// A machine that is copied while it leads leads twice, until one of the two finds the
// other's renewal.
//
// # Why it is safe
//
// The election is one record under one key, changed by compare-and-swap alone.
//
//	           vacant, missing, or unchanged for its TTL
//	candidate ------------------------------------------> leader
//	    ^      claim: token+1, from the attempt's start      |
//	    |                                                    | renew: beat+n
//	    |      trust ran out, another's record, resigned     |
//	    +----------------------------------------------------+
//
// The leader trusts its claim until
//
//	start of the last acknowledged attempt + TTL - margin
//
// where the attempt starts before its request is sent. A rival may replace a
// record that it has seen unchanged for the whole TTL, counted from when it had
// the reply. The leader's time begins before the record is written and the
// rival's after, and the leader's is shorter by the margin: so the leader's
// trust has run out before the rival can claim. Neither reads the clock of the
// other, and neither relies on the store to expire anything, on a session
// of the store, or on a watch: what a watch shows makes a candidate wait longer, or look again, and a poll
// stands behind it.
//
// A term that rides on a [Session] is not renewed: the record of the session is, for all its
// terms at once. A rival that has seen neither change for the TTL first writes that the session
// has ended. That fails if the session was renewed, and is for good if it was not: only then
// does the rival claim.
//
// If the reply to a write is lost, the write may have happened or not. So the candidate
// reads the record, and writes again: a claim with a new token, a renewal with a new beat.
// Even if it finds its own write there it does not trust that, for a failover may still
// take back what a read shows: trust begins, and is renewed, only by a write that the store
// acknowledged. A call of the store that does not return, though its context has ended, is
// neither waited for nor repeated. A term whose trust has run out is over, whatever succeeds
// later.
//
// A request of an operator is written into the record, too. The leader finds it there, ends
// its work, and gives up the seat; what holds for all candidates (a transfer, a pause) stays
// in the record that it leaves.
//
// The rules are numbered in docs/decisions.md, and each has tests that fail when it is
// broken: most of them simulations of whole elections in virtual time (internal/sim).
//
// # The record
//
// It is JSON, for people to read:
//
//	v, kind   1 and "election"; a value that is not exactly of this form is never overwritten
//	leader    node name; empty when the seat is vacant
//	instance  random id of one campaign
//	token     fencing token of the term, kept through a vacancy
//	ttl       milliseconds, as the holder promised
//	beat      raised by a random number with each write of the holder
//	since     when the term began
//	payload   what WithPayload or SetPayload set
//	last      who led before, with which token, and why that term ended
//	waiting   candidates with a priority that wait
//	ask       an operator's request
//
// # Stores
//
// A store is a [github.com/seed-a1d591d3/leadership/store.Store]. Those for
// etcd, Consul, ZooKeeper, Redis, PostgreSQL, SQLite and memory are in the packages
// below store, each on the official client, which may be the program's own, or
// by URL: see [github.com/seed-a1d591d3/leadership/store.Open]. Every store of
// github.com/kvtools/valkeyrie is one, too. docs/stores.md tells what each
// guarantees. For tests of failover there is package store/faultstore, which
// puts faults between a client and its store.
package leadership

// Package httpapi serves rounds and elections over HTTP, on any store, to
// programs in any language.
//
//	kv, err := store.Open(ctx, "redis://10.0.0.1:6379")
//	api, err := httpapi.New(kv)
//	server := httpapi.NewServer("127.0.0.1:8080", api)
//	server.ListenAndServe()
//	...
//	api.Close() // ends long polls and streams
//	server.Shutdown(ctx)
//	kv.Close()
//
// # Rounds
//
// These are the routes of gone, a service for rounds on Redis, with gone's answers: a
// short text, or none.
//
//	GET       /api/v1/elect/{system}/{round}      202 won, 204 lost, 500 not known: ask again
//	GET       /api/v1/elected/{system}/{round}    200 and the winner, 204 no winner yet
//	GET, POST /api/v1/complete/{system}/{round}   200 recorded, 400 not the winner, or completed by another; 500 not known
//	GET       /api/v1/completed/{system}/{round}  200 and the completer, 204 not completed yet
//	GET       /alive                              200
//
// And these are more:
//
//	GET /api/v1/await/{system}/{round}?timeout=30s  200 and the completer, 204 not completed in that time
//	GET /api/v1/rounds?system={system}              200 and all rounds of a system, as JSON
//	GET /api/v1/rounds?system={system}&from=        200 and a page of them, and next: from of the next page
//
// A client that names no node is known by the address that its connection comes from,
// as in gone. Another client may have that address tomorrow, and all clients behind one
// proxy may have it today. So only the request that won is answered with 202, and any
// client that names no node may complete a round that was won by a client that named
// none. It is better to name the node, by ?node= or the header X-Leadership-Node: then
// the winner gets 202 each time that it asks, and no other node can complete the round.
//
// With ?attempt_ttl=30s a win is good for that long. If the winner has not completed the
// round by then, the next client that asks with an attempt_ttl may win attempt 2, and
// then attempt 1 cannot be completed any more. The answer has the number in
// X-Leadership-Attempt, and in X-Leadership-Trust the milliseconds, from when the request
// was sent, for which the winner may work: it should stop then, or ask again before, which
// starts the time anew. Send ?attempt=1 along with complete. See
// leadership.WithAttemptTTL.
//
// The body of a POST to complete is the result, of at most
// leadership.MaxRoundResult bytes. With "Accept: application/json" all routes of
// rounds that return a name return what is known of the round instead, with its result.
// The list does so too; there a round whose winner has reported, by Round.Fail or the
// command line, that it has failed has a failure and the time of it.
//
// # Elections
//
// A key is one part of the path, its slashes written as %2F. Bodies and answers
// are JSON; a duration is "1.5s" or a number of seconds.
//
//	POST /api/v1/elections/{key}/claim         200 leads, 409 does not
//	POST /api/v1/elections/{key}/resign        204
//	GET  /api/v1/elections/{key}               200 and the state of the election
//	DELETE /api/v1/elections/{key}?wait=       204 deleted, 404 no such election, 409 there is a leader, or a pause
//	GET  /api/v1/elections/{key}/leader?node=  200 that node leads, 503 it does not, or the store does not answer
//	GET  /api/v1/elections/{key}/events        200 and a stream of server-sent events
//	GET  /api/v1/elections/{key}/terms         200 and the terms that this server remembers, 404 not observed
//	POST /api/v1/elections/{key}/requests      200 obeyed, 202 written, 404 no such election, 409 no leader, paused, not transferred, or replaced
//	GET  /api/v1/elections?prefix=&limit=      200 and the states of all elections below a prefix
//	GET  /api/v1/events?prefix=&system=        200 and a stream of events of all elections, and of rounds
//
// To know that a leader is dead a server has to see its record unchanged for the TTL. So one
// that has just started, or was not asked about that election for long, answers 200 at
// /leader for a leader that has crashed for up to a TTL.
//
// The state of an election has a beat, which is another after each renewal, of the term or of
// the session that it rides on: events do not have it.
//
// A program leads by claiming the seat, and by claiming it again in time:
//
//	{"node": "a", "ttl": "15s", "instance": "K3Q7...", "token": 0, "beat": "", "payload": "10.0.0.7:80"}
//
// node is the name that others see. ttl is how long the claim lasts, from 50 ms to an
// hour, 15 s by default; a renewal keeps the TTL of its term. instance is a secret of 16
// to 128 bytes that tells this claimant from all others; without one, one is made and
// returned. It is better to make one at random: then a claim whose answer was lost can be
// repeated. payload is what followers get, such as an address.
//
// The program leads if the answer is 200, until trust_ms after it sent the request: not
// after the answer came. It has to stop by then, unless it has renewed the term, about
// every third of the TTL, by the same request with the token of the answer. A renewal is
// answered with 409 if the term is over, or if an operator asks the leader to go, which
// asked names: then the program is to end its work, and to resign, before its trust is
// over. An answer that comes after the trust is over is no answer: the program must not
// lead by it, but resign, and claim anew as another instance. A request to resign that
// has the token ends that term alone, however late it comes; after one without the token
// the instance must not claim again. 500, or no answer, changes nothing: the present trust
// lasts, and the program may ask again, of any server. Send the token along with whatever
// only the leader may do: see package fence.
//
// beat, if it is given, is that of the last answer with 200. If the term was renewed since,
// by another process with the same memory, such as that of a copy of the machine, a renewal
// and a request to resign change nothing, and are answered with 409. That to a renewal has
// the present beat: if an earlier claim of the program was not answered, that may be the one
// that has renewed, and the program claims again with this beat.
//
// After 409 with a term the program may claim again. That is of no use before
// retry_after_ms, unless the leader resigns; but a server replaces a silent leader only
// when it has seen the leader's record unchanged for the TTL, so claim a few times within
// it. See leadership.Claims. trust_ms is the TTL less a margin for clocks of different
// speed, a fifth of the TTL unless WithMargin sets it, and less the time that WithGrace
// leaves the work to stop in.
//
// A request is {"action": "resign", "by": "olga"}, or "transfer" with "to" and
// "hold", or "pause" with "keep", or "resume", as in leadership.Request. wait is how long
// the server waits until it is obeyed, from a second to a minute, 5 s by default.
//
// DELETE deletes the record of an election that is not used any more, as
// leadership.Forget does. wait is how long it waits for a leader that may have crashed,
// from a second to five minutes, 30 s by default: it has to be longer than the leader's
// TTL.
//
// The health of a leader needs no token. WithNode sets the node for requests that name
// none.
//
// Each event is a line of JSON, as GET returns it, with a type: "leader", "vacant",
// "expired" when the leader has fallen silent, or "unknown" when it is not known who
// leads because the store does not answer this server: the last leader may still lead. The
// first event is the present state. Events leave out a payload of more than 4096 bytes, and
// have payload_omitted instead; GET has it. After Last-Event-ID come the events that were
// missed, if the server remembers them. A reader that is too slow is disconnected.
//
// The stream of all elections has those that WithObserved sets, and is 404 without it. It
// begins with a "hello": the server's time, its prefix, its store and version, and whether
// the reader may write. Then comes the state of each election, and "ready" after the last. Each event of an
// election has at, the server's time; free_in_ms, when the seat could be taken if the
// leader were silent from then; terms, the last 6 with the reason why each ended;
// earlier_terms, how many more of up to 50 /terms has; and
// vacant_since, while there is no leader. "renewed" means that a leader has renewed its
// term, at most four times a second; "gone", that the election is gone; "state", that the
// store does not list the elections, or that there are too many. "systems" are those whose
// rounds are among what it lists. An event without an id is
// not repeated. "rounds" are the latest 50 of a system that system= names, 16 at most, or
// of one of the 16 that this server was last asked to elect in, a second or so after they
// change.
//
// # The page
//
// Under / there is a page for people. It shows, by that stream, who leads, with the time
// left, why the last terms ended, empty seats, and rounds; more than 20 elections as a table. It asks leaders to resign, to
// transfer and to pause, by the routes above. Its files are for anyone; what it shows
// needs a token if there are tokens, which is typed in and kept until the tab is closed.
// It loads nothing from other servers.
//
// # Metrics, and a description of all this
//
//	GET /metrics       200 and metrics for Prometheus
//	GET /openapi.json  200 and an OpenAPI 3.1 document of all routes
//
// The metrics are of claims, rounds, calls of the store and requests, and, with
// WithObserved, of elections: who leads, terms, renewals, trust, pauses, and the time
// without a leader. Each request for them keeps the elections observed for the next
// 150 s. docs/monitoring.md has their names, alerts and a dashboard. A program that has
// metrics of its own mounts a Handler beside them.
//
// # Errors
//
// An invalid request gets a 4xx and the reason, and changes nothing. If the store does
// not answer, that is a 500, never a "lost" or "no leader". The routes of gone return the
// reason as text, all others as {"error": "..."}, with a code for programs where the state
// of an election does not allow the request: no_election, no_leader, held, paused,
// not_transferred, replaced or foreign_record. Unknown parameters are ignored.
//
// # Safety
//
// Anyone who reaches the service may use it, unless WithTokens is set: let it listen on
// the loopback interface, or set tokens. Requests that change something and come from web
// pages of other origins are refused, except for the GETs of gone, which are refused too
// if there are tokens. Without tokens and TLS, requests are refused too that a web page
// makes by a name with a dot that is not this machine's: anybody may let such a name lead
// here.
package httpapi

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
//	GET       /api/v1/elected/{system}/{round}    200 and the winner, 204 nobody yet
//	GET, POST /api/v1/complete/{system}/{round}   200 recorded, 400 not the winner, or another has; 500 not known
//	GET       /api/v1/completed/{system}/{round}  200 and the completer, 204 nobody yet
//	GET       /alive                              200
//
// And these are more:
//
//	GET /api/v1/await/{system}/{round}?timeout=30s  200 and the completer, 204 nobody in that time
//	GET /api/v1/rounds?system={system}              200 and all rounds of a system, as JSON
//	GET /api/v1/rounds?system={system}&from=        200 and a page of them, and next: from of the next page
//
// Whoever names no node is known by the address that its connection comes
// from, as in gone. Another client may have that address tomorrow, and all
// clients behind one proxy may have it today: so it is told once that it has
// won, by the request that won, and any client that names no node may
// complete what one that named none has won. Better name the node, by ?node= or
// the header X-Leadership-Node: then the winner is told so each time that it asks,
// and nobody else can complete the round.
//
// With ?attempt_ttl=30s a win is good for so long. Where the winner has not
// completed the round by then, the next that asks with an attempt_ttl may win
// attempt 2, and what completes attempt 1 is refused. The answer tells the number in
// X-Leadership-Attempt and, in X-Leadership-Trust, for how many milliseconds from
// when the request was sent the winner may work: it should stop then, or ask
// again before, which begins the time anew. Send ?attempt=1 along with complete.
// See leadership.WithAttemptTTL.
//
// The body of a POST to complete is the result, of at most
// leadership.MaxRoundResult bytes. With "Accept: application/json" all routes of
// rounds that have something to tell answer with what is known of the round,
// its result among it; so does the list, where a round whose winner has failed, and has
// said so by Round.Fail or the command line, has a failure and when that was.
//
// # Elections
//
// A key is one part of the path, its slashes written as %2F. Bodies and answers
// are JSON; a duration is "1.5s" or a number of seconds.
//
//	POST /api/v1/elections/{key}/claim         200 leads, 409 does not
//	POST /api/v1/elections/{key}/resign        204
//	GET  /api/v1/elections/{key}               200 and how the election stands
//	DELETE /api/v1/elections/{key}?wait=       204 forgotten, 404 no such election, 409 somebody leads, or it is paused
//	GET  /api/v1/elections/{key}/leader?node=  200 that node leads, 503 it does not, or the store does not answer
//	GET  /api/v1/elections/{key}/events        200 and a stream of server-sent events
//	POST /api/v1/elections/{key}/requests      200 obeyed, 202 written, 404 no such election, 409 nobody leads, paused, not transferred, or replaced
//	GET  /api/v1/elections?prefix=&limit=      200 and how all elections below a prefix stand
//	GET  /api/v1/events?prefix=&system=        200 and a stream of events of all elections, and of rounds
//
// A program leads by asking, and by asking again in time:
//
//	{"node": "a", "ttl": "15s", "instance": "K3Q7...", "token": 0, "payload": "10.0.0.7:80"}
//
// node is what others know it by. ttl is how long the claim stands, from 50 ms to
// an hour, 15 s by default; a renewal keeps that of its term. instance is a secret of
// 16 to 128 bytes that tells it from all others; where there is none, one is
// made and told. Better make one at random: a claim whose answer was lost can
// then be repeated. payload is what others are told.
//
// It leads when the answer is 200, from then until trust_ms have gone by since
// before it sent the request; not since the answer came. It has to stop by
// then, unless it has renewed the term meanwhile, about every third of the TTL, by
// the same request with the token that it was told. That is answered with 409
// where the term is over, or where asked tells that an operator wants it to go:
// then it is to end its work, and to resign, before its trust is over. An answer
// that comes when its trust is over is none: it must not lead again by it, but
// resign, and claim anew by another instance. A request to resign that names the token
// ends that term alone, however late it comes; after one that does not, its instance
// must not claim again. 500, or no answer, says nothing: the trust that it has lasts,
// and it may ask again, of any server. token goes along with whatever only the leader
// may do: see package fence.
//
// Whoever is answered with 409 and a term may ask again. It is of no use before
// retry_after_ms, unless the leader resigns; but a server replaces a silent leader only once
// it has itself seen its record unchanged for the TTL, so ask a few times within
// that. See leadership.Claims. trust_ms is the TTL less a margin for clocks of
// different speed, a fifth of the TTL unless WithMargin says otherwise, and less
// what WithGrace leaves the work to stop in.
//
// A request is {"action": "resign", "by": "olga"}, or "transfer" with "to" and
// "hold", or "pause" with "keep", or "resume", as leadership.Request says. wait is
// how long it is waited for, from a second to a minute, 5 s by default.
//
// DELETE removes an election that is not used any more, as leadership.Forget does. wait is how long a
// leader that may have crashed is looked at, from a second to five minutes, 30 s by
// default: it has to be longer than its TTL.
//
// The health of a leader needs no token. WithNode says whom it is about where the
// request names no node.
//
// Each event is a line of JSON, as GET tells it, with a type: "leader", "vacant",
// "expired" where the leader has fallen silent, or "unknown" where nobody is known to
// lead because the store does not answer this server: whoever led may do so yet. The
// first tells how the election stands.
// A payload of more than 4096 bytes is not told: payload_omitted says so, and GET has it.
// After Last-Event-ID come those that were missed, if the server remembers
// them. A reader that is too slow is cut off.
//
// The stream of all elections is of those that WithObserved names, and 404 without
// it. It begins with a "hello": the server's time, its prefix, and whether the reader
// may write. Then each election is told, and "ready" says that these were all. Each
// event of an election has at, the server's time; free_in_ms, when the seat could be taken
// if the leader were silent from then; terms, the last 20 with the reason each
// ended; and vacant_since, while nobody leads. "renewed" says that a leader has renewed
// its term, at most four times a second; "gone", that the election is; "state", that
// the store does not tell which elections there are, or that there are too many. What
// has no id is not told again. "rounds" are the latest 50 of a system that system=
// names, 16 at most, or of one of the 16 that this server was last asked to elect in, a
// second or so after they change.
//
// # The page
//
// Under / there is a page for people, which shows all that by that stream: who leads,
// with the time left, what the last terms ended by, seats that are empty, and rounds.
// It asks leaders to resign, to hand over, and to pause, by the routes above. Its
// files are for anyone; what it shows needs a token where there are tokens, which is
// typed in and kept until the tab is closed. It loads nothing from elsewhere.
//
// # Metrics, and a description of all this
//
//	GET /metrics       200 and metrics for Prometheus
//	GET /openapi.json  200 and an OpenAPI 3.1 document of all routes
//
// The metrics tell of claims, rounds, calls of the store and requests, and, where
// WithObserved says so, of elections: who leads, terms, renewals, trust, pauses, and the time
// without a leader. Each request keeps the elections observed for the next 150 s. docs/monitoring.md has their names,
// alerts and a dashboard. A program that has metrics of its own mounts a Handler
// beside them.
//
// # Errors
//
// A request that will not do gets a 4xx and the reason, and changes nothing.
// When the store does not answer that is a 500, never a "lost" or "nobody". The
// routes of gone give the reason as text, all others as {"error": "..."}.
// Parameters that are not known are ignored.
//
// # Safety
//
// Anyone who reaches the service may use it, unless WithTokens says otherwise:
// have it listen on the loopback interface, or set tokens. Requests that change something and
// come from web pages of other origins are refused, except for the GETs of gone,
// which are refused too where there are tokens. So are those of a web page by a name with a
// dot that is not this machine's, without tokens and TLS: anybody may have such a name
// lead here.
package httpapi

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
// These are the routes of gone, with gone's answers: a short text, or none.
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
// its result among it.
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
// which are refused too where there are tokens.
package httpapi

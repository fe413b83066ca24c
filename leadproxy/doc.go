// Package leadproxy sends HTTP requests to the leader.
//
// The candidates put the address at which they serve into their payload, as a
// URL or as host:port, and every node can take any request:
//
//	candidate := leadership.NewCandidate(kv, key, "node-a", ttl, leadership.WithPayload([]byte("http://10.0.0.1:8080")))
//	follower := leadership.NewFollower(kv, key) // and run both
//	proxy := leadproxy.New(follower, leadproxy.WithLocal(candidate, handler))
//	http.ListenAndServe(":8080", proxy)
//
// # What it answers by itself
//
//   - 503 Service Unavailable, with Retry-After, if there is no leader, if the leader
//     refuses connections, and if another leadproxy has taken this node for the leader,
//     and it is not
//   - 504 Gateway Timeout if the leader does not begin to answer in time
//   - 502 Bad Gateway if the leader fails otherwise, and if its payload is not an
//     address
//
// # What it does not do
//
// It never repeats a request. After a 503 nothing has been done: the client may repeat
// any request. After a 502 or 504 the leader may have done what the request asks for. (The
// transport is that of net/http, which repeats a request by itself if an idle connection
// turns out to be dead, and only if nothing of the request was sent or its method is
// idempotent.)
//
// It cannot know that the leader still leads when the request arrives: another may have
// taken over. So the leader has to check before it does what only a leader may do, or a
// fencing token has to be checked (package fence). A request that is under way when the
// leader changes goes on to its end, as do streams and WebSockets: the former leader has to
// end them.
//
// A request is sent on once: one that comes from a Proxy is served where it arrives, if
// that is the leader, or not at all. So a service behind a Proxy cannot send the same
// request on through a second one.
package leadproxy

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
// # What it answers itself
//
//   - 503 Service Unavailable, with Retry-After, when nobody leads, when the
//     leader refuses connections, and to a request that another leadproxy has sent
//     to this node as the leader, which it is not
//   - 504 Gateway Timeout when the leader does not begin to answer in time
//   - 502 Bad Gateway when the leader fails otherwise, and when its payload
//     is no address
//
// # What it does not
//
// It never sends a request again. After a 503 nothing has been done: the
// client may repeat any request. After a 502 or 504 the leader may have done
// what it was asked for. (The transport beneath is that of net/http, which
// repeats a request by itself if an idle connection turns out to be dead, and
// only if nothing of it was sent or its method is idempotent.)
//
// It cannot know that the leader it sends to still leads: the leader may have
// been succeeded while the request was on its way. What only a leader may do
// has to be checked by the leader, or by a fencing token where it is done
// (package fence). A request under way when the leader changes goes on to its
// end, as do streams and WebSockets: end them at the leader that was.
//
// A request is sent on once: one that has come by a Proxy is served where it
// arrives, by the leader, or not at all. So a service behind a Proxy cannot send
// the same request on by a second one.
package leadproxy

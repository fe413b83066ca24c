// Package fence refuses what leaders of the past still send.
//
// A leader may be paused between finding that it leads and acting upon it, and
// wake up after another has taken over. No election can prevent that. So every
// term has a fencing token, higher than those of all terms before it
// ([leadership.Term]); the leader sends it along, and whatever is acted upon
// refuses a token below the highest that it has seen.
//
//	err := check.Check(ctx, "orders", token)
//	if errors.Is(err, fence.ErrStale) {
//		return err // somebody else leads by now
//	}
//
// All checks of this package accept a token that equals the highest seen, or
// exceeds it, and refuse every lower one, also when they race. Token 0 belongs to
// no term and is refused as invalid. A resource is whatever tokens are compared
// for: a table, a bucket, a device; and one election should be all that issues
// its tokens. Its highest token is never lowered and never forgotten by itself.
//
// # Which one
//
//   - [SQL] checks in the transaction of the write, in PostgreSQL, SQLite, MySQL
//     or MariaDB. It is the only one without a gap: what passed commits before
//     any higher token passes, or not at all.
//   - [KV] checks in any key/value store that an election can use.
//   - [Memory] checks in one process, the only one that writes.
//   - [Handler] checks the requests of an HTTP server, by one of the above, and
//     [NewTransport] adds the token to those of a client.
//
// # Two steps
//
// With KV, Memory and Handler the check is one step and the action another.
// Between the two a higher token may pass, and its leader act; then the action
// of the lower one comes after it. Nobody who acts elsewhere than where the token
// is checked can rule that out. It takes a pause just there, so check as near
// to the action as can be, by all means after every wait for a lock, a queue
// or a body. Where the process that checks is the only one that acts, hold a
// lock from the check until the action is done, and there is no gap.
package fence

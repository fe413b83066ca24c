// Package electiontest holds elections over any store and checks what package
// leadership promises: on a healthy store, on one that is killed, halted or
// tampered with, and for candidates that crash.
//
// A store's tests run it so:
//
//	func TestElections(t *testing.T) {
//		server := servers.Redis(t)
//		electiontest.Run(t, electiontest.Env{
//			Open:   func(t testing.TB) store.Store { ... },
//			Server: server,
//		})
//	}
//
// In every test a referee looks at all candidates about once a millisecond:
// two that trust their claims at one instant, or a token that does not rise,
// fail the test, whatever it is about.
//
// Only safety is checked against the clock to the millisecond. Where a test
// waits for something to happen it waits far longer than it takes, except
// where a bound is promised; that a busy machine is late is no failure.
package electiontest

package electiontest

import (
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// Env is a store to hold elections on.
type Env struct {
	// Open connects another client to the store. The suite closes it. It is
	// called while the server is stopped, too.
	Open func(t testing.TB) store.Store

	// Server is what runs the store. Tests that kill or halt it are left out
	// where it is nil.
	Server Server
}

// Server is a store's server, as a test treats it. Its methods return when what
// they say is the case.
type Server interface {
	Stop()   // kills it; acknowledged writes survive
	Start()  // brings it back, at the same address
	Freeze() // halts it: connections stand, nothing is answered
	Thaw()   // lets it go on
}

// Run runs the suite.
func Run(t *testing.T, env Env) {
	for _, ttl := range []time.Duration{500 * time.Millisecond, time.Second} {
		t.Run("TTL="+ttl.String(), func(t *testing.T) {
			env.run(t, ttl, "OneOfThreeLeadsAndFollowersAgree", testElection)
			env.run(t, ttl, "ResignHandsOver", testResign)
			env.run(t, ttl, "CrashedLeaderIsReplacedInTime", testCrash)
		})
	}
	const ttl, long = 500 * time.Millisecond, time.Second
	env.run(t, 2*long, "ResignHandsBackAtOnce", testResignAgain)
	env.run(t, ttl, "FollowerWaitsForTheFirstLeader", testFollowerFirst)
	env.run(t, ttl, "FollowerForgetsALeaderThatIsSilent", testFollowerForgets)
	env.run(t, long, "DeletedKeyIsHealed", testDeletedKey)
	env.run(t, ttl, "ForeignValueIsNeverOverwritten", testForeignValue)
	env.run(t, long, "CancelledContextVacatesTheSeat", testCancel)
	env.run(t, long, "StopVacatesTheSeat", testStop)
	env.run(t, ttl, "TermsThatRideAreTakenTogether", testSession)
	env.run(t, ttl, "RoundElectsExactlyOne", testRound)

	env.runHarsh(t, long, "RestartedServerKeepsTheElection", testRestart)
	env.run(t, long, "ManyKeysOfADirectoryAreFollowedByOneWatch", testManyKeys)
	env.runHarsh(t, ttl, "FrozenServerEndsTheTerm", testFreeze)
	env.runHarsh(t, long, "CancelledContextEndsInTimeOnAFrozenServer", testCancelFrozen)
	env.runHarsh(t, ttl, "StoreThatIsDownAtTheStartIsWaitedFor", testDownAtStart)
	env.runHarsh(t, ttl, "GoroutinesDoNotPileUpOnAFrozenServer", testGoroutines)
}

// run runs one test with an election of its own.
func (env Env) run(t *testing.T, ttl time.Duration, name string, test func(*election)) {
	t.Run(name, func(t *testing.T) { test(newElection(t, env, ttl)) })
}

// runHarsh is run, for a test that kills or halts the server.
func (env Env) runHarsh(t *testing.T, ttl time.Duration, name string, test func(*election)) {
	if env.Server == nil {
		t.Logf("left out: %s, for there is no server to kill or halt", name)
		return
	}
	t.Run(name, func(t *testing.T) {
		// Whatever becomes of the test, the next one finds the server well.
		defer func() { env.Server.Thaw(); env.Server.Start() }()
		test(newElection(t, env, ttl))
	})
}

package kvtools

import "maps"

// unneeded is what elections do without, and the adapters do not have.
var unneeded = map[string]string{
	"AtomicDelete": "elections never delete",
	"List":         "elections list nothing",
	"Close":        "no call is told from one before Close",
	"TTL":          "elections set none; where one is not kept to, nobody is told",
	"Watch":        "each watches in a way of its own, as a hint that is enough",
	"Keys":         "the checks of keys watch and list",
	"Values":       "the checks of values watch; and elections write no empty ones",
	"Frozen":       "calls and watches outlive their contexts, for which elections are prepared",
	"Cut":          "watches end, or fall silent, which is as good to an election",

	"Restart/WatchGoesOnOrEnds": "a watch may fall silent after a restart; elections poll behind it",

	"AtomicPut/PairOfAMissingKeyIsRefused": "elections have no such pair; index 0 is an unconditional write to some",
}

const (
	noContext   = "contexts are not looked at, for which elections are prepared"
	resends     = "the client sends a write again whose reply was lost, and is refused by itself; elections read back"
	noDelete    = "a delete of what is gone is told as done; elections never delete"
	rawErrors   = "ZooKeeper's own errors come back for races that were lost; elections look again after any error"
	indexAgain  = "an index comes back after a delete; elections compare values, too"
	sameIsSame  = "a write of the same value is none; elections never write the same value twice"
	anyIsExists = "a put without a previous pair answers ErrKeyExists for any error; elections look again after it"
	secondReads = "a put returns what a second read found, which may be another's; elections compare values"
)

// excused is what each adapter is known to fail. What is named here and not in
// unneeded is run all the same, and what it finds is told.
var excused = map[string]map[string]string{
	"etcd": with(map[string]string{
		"Linearizable/Calls":                        noDelete,
		"Linearizable/CallsOnConnectionsThatAreCut": noDelete,
		"Linearizable/CallsWhileTheServerRestarts":  noDelete,
	}),
	"consul": with(map[string]string{
		"Context":                                   noContext,
		"AtomicPut/SameValueHasAnotherIndex":        sameIsSame,
		"AtomicPut/IndexNeverComesBack":             sameIsSame,
		"Writers/NoUpdateIsLost":                    secondReads,
		"Writers/OneDeleteWins":                     noDelete,
		"Linearizable/Calls":                        secondReads,
		"Linearizable/CallsOnConnectionsThatAreCut": resends,
		"Linearizable/CallsWhileTheServerRestarts":  resends,
	}),
	"zookeeper": with(map[string]string{
		"Context":                                   noContext,
		"Get/MissingKeyIsNotFound":                  rawErrors,
		"AtomicPut/GoneIsRefused":                   rawErrors,
		"AtomicPut/UnknownIndexIsRefused":           rawErrors,
		"AtomicPut/PairFromBeforeADeleteIsRefused":  indexAgain,
		"AtomicPut/IndexNeverComesBack":             indexAgain,
		"Writers/OneCreateWins":                     rawErrors,
		"Writers/OneDeleteWins":                     rawErrors,
		"Linearizable/Calls":                        rawErrors,
		"Linearizable/CallsOnConnectionsThatAreCut": rawErrors,
		"Linearizable/CallsWhileTheServerRestarts":  rawErrors,
		"Restart": "calls block while it is not connected, whatever their contexts say",
	}),
	"redis": with(map[string]string{
		"Context/EndedPreventsCreate":               anyIsExists,
		"Linearizable/Calls":                        anyIsExists,
		"Context/EndedPreventsWatch":                noContext,
		"Linearizable/CallsOnConnectionsThatAreCut": resends,
		"Linearizable/CallsWhileTheServerRestarts":  resends,
	}),
}

func with(more map[string]string) map[string]string {
	all := maps.Clone(unneeded)
	maps.Copy(all, more)
	return all
}

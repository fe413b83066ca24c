package storetest

import (
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// seconds is a store that takes no TTL below 10 ms.
var seconds = Capabilities{TTL: 10 * time.Millisecond}

// breakages are the ways to break a store, and the checks that must find each.
// Others may find it too.
var breakages = []struct {
	name     string
	how      breakage
	onStop   func(*site)
	can      Capabilities
	caughtBy []string
}{
	{name: "get of the past", how: goesBack, can: precise, caughtBy: []string{"Linearizable/Calls", "Linearizable/CallsOnConnectionsThatAreCut", "Linearizable/CallsWhileTheServerRestarts"}},
	{name: "get of a private copy", how: readsItsOwnWrites, can: precise, caughtBy: []string{"Get/EveryClientFindsIt", "Linearizable/Calls"}},
	{name: "get that finds too much", how: findsMissingKeys, can: precise, caughtBy: []string{"Get/MissingKeyIsNotFound"}},
	{name: "get with another key", how: namesKeysAnew, can: precise, caughtBy: []string{"Get/FindsWhatWasWritten"}},
	{name: "bytes of the caller kept", how: keepsTheCallersBytes, can: precise, caughtBy: []string{"Get/ReturnedPairIsTheCallers"}},

	{name: "many in another order", how: manyOf(sortsPairs), can: precise, caughtBy: []string{"GetMany/FindsEachInItsPlace"}},
	{name: "many without places for missing keys", how: manyOf(dropsMissing), can: precise, caughtBy: []string{"GetMany/FindsEachInItsPlace", "GetMany/FindsManyKeys"}},
	{name: "many of a page", how: manyOf(findsAPage), can: precise, caughtBy: []string{"GetMany/FindsManyKeys"}},
	{name: "many without indexes", how: manyOf(losesIndexes), can: precise, caughtBy: []string{"GetMany/FindsWhatGetFinds", "GetMany/FindsThemBelowAPrefix"}},
	{name: "many of the past", how: manyOfThePast, can: precise, caughtBy: []string{"GetMany/EveryClientFindsIt", "GetMany/FindsWhatGetFinds", "Linearizable/Calls"}},
	{name: "many with one pair for all places", how: manyOf(sharesPairs), can: precise, caughtBy: []string{"GetMany/ReturnedPairsAreTheCallers"}},

	{name: "stale swap accepted", how: acceptsStale, can: precise, caughtBy: []string{"AtomicPut/StaleIsRefused", "AtomicPut/UnknownIndexIsRefused", "AtomicPut/PairFromBeforeADeleteIsRefused", "Writers/NoUpdateIsLost", "Linearizable/Calls", "Cut/CallsGoOnWithTheSameClient", "Restart/CallsGoOnWithTheSameClient"}},
	{name: "create over existing", how: createsOverExisting, can: precise, caughtBy: []string{"AtomicPut/CreateOverExistingIsRefused", "Writers/OneCreateWins", "Linearizable/Calls"}},
	{name: "swap of what is gone", how: createsWhatIsGone, can: precise, caughtBy: []string{"AtomicPut/GoneIsRefused", "AtomicPut/PairOfAMissingKeyIsRefused", "TTL/ExpiredKeyIsMissing", "Linearizable/Calls"}},
	{name: "create from index 0", how: createsFromZero, can: precise, caughtBy: []string{"AtomicPut/PairOfAMissingKeyIsRefused"}},
	{name: "values compared", how: comparesValues, can: precise, caughtBy: []string{"AtomicPut/StaleIsRefused", "AtomicPut/PairFromBeforeADeleteIsRefused"}},
	{name: "value of the previous pair ignored", how: comparesIndexesAlone, can: precise, caughtBy: []string{"AtomicPut/IndexOfAnotherValueIsRefused", "AtomicDelete/IndexOfAnotherValueIsRefused"}},
	{name: "create that does nothing", how: writesNothing, can: precise, caughtBy: []string{"AtomicPut/CreatesAndReplaces", "Get/FindsWhatWasWritten"}},
	{name: "refused and written", how: writesWhatItRefuses, can: precise, caughtBy: []string{"AtomicPut/StaleIsRefused", "Linearizable/Calls"}},
	{name: "index that no read finds", how: returnsAnotherIndex, can: precise, caughtBy: []string{"AtomicPut/ReturnsTheIndexThatAReadFinds", "Get/FindsWhatWasWritten", "Linearizable/Calls"}},
	{name: "index reused", how: restartsIndexes, can: precise, caughtBy: []string{"AtomicPut/IndexNeverComesBack", "AtomicPut/PairFromBeforeADeleteIsRefused", "AtomicDelete/PairFromBeforeADeleteIsRefused", "Linearizable/Calls"}},
	{name: "equal write skipped", how: skipsEqualWrites, can: precise, caughtBy: []string{"AtomicPut/SameValueHasAnotherIndex"}},
	{name: "lost update", how: losesUpdates, can: precise, caughtBy: []string{"Writers/NoUpdateIsLost", "Writers/OneCreateWins", "Linearizable/Calls"}},
	{name: "lost acknowledged write", how: losesWrites, can: precise, caughtBy: []string{"Linearizable/Calls"}},
	{name: "write sent twice", how: retries, can: precise, caughtBy: []string{"Linearizable/Calls"}},
	{name: "write sent again on a new connection", how: resends, can: precise, caughtBy: []string{"Linearizable/CallsOnConnectionsThatAreCut"}},

	{name: "stale delete accepted", how: deletesStale, can: precise, caughtBy: []string{"AtomicDelete/StaleIsRefused", "AtomicDelete/PairFromBeforeADeleteIsRefused", "Writers/OneDeleteWins", "Linearizable/Calls"}},
	{name: "delete that does nothing", how: deletesNothing, can: precise, caughtBy: []string{"AtomicDelete/DeletesWhatIsUnchanged", "Linearizable/Calls"}},
	{name: "delete of anything", how: deletesAnything, can: precise, caughtBy: []string{"AtomicDelete/PreviousMustBeGiven"}},
	{name: "delete of what is gone", how: deletesWhatIsGone, can: precise, caughtBy: []string{"AtomicDelete/GoneIsRefused", "Linearizable/Calls"}},

	{name: "list with the directory itself", how: listsItself, can: precise, caughtBy: []string{"List/LeavesTheDirectoryItselfOut", "List/NothingIsNotFound"}},
	{name: "list without what is nested", how: only(func(directory, key string) bool {
		return !strings.Contains(strings.TrimPrefix(key[len(directory):], "/"), "/")
	}), can: precise, caughtBy: []string{"List/FindsAllThatBeginsWithIt"}},
	{name: "list of a folder", how: only(func(directory, key string) bool {
		return strings.HasPrefix(key, strings.TrimSuffix(directory, "/")+"/")
	}), can: precise, caughtBy: []string{"List/FindsAllThatBeginsWithIt"}},
	{name: "list of a page", how: listsAPage, can: precise, caughtBy: []string{"List/FindsManyKeys"}},
	{name: "list of nothing without an error", how: listsNoError, can: precise, caughtBy: []string{"List/NothingIsNotFound"}},
	{name: "list of keys alone", how: listsKeys, can: precise, caughtBy: []string{"List/HasValuesAndIndexes"}},

	{name: "close that closes nothing", how: staysOpen, can: precise, caughtBy: []string{"Close/LaterGetIsRefused", "Close/LaterGetManyIsRefused", "Close/LaterAtomicPutIsRefused", "Close/LaterAtomicDeleteIsRefused", "Close/LaterListIsRefused", "Close/LaterWatchIsRefused", "Watch/EndsOnClose", "Watch/EndsOnCloseUnread"}},
	{name: "close that fails the second time", how: failsTwice, can: precise, caughtBy: []string{"Close/TwiceIsFine"}},
	{name: "close of all clients", how: closesAll, can: precise, caughtBy: []string{"Close/LeavesOtherClientsAlone"}},

	{name: "TTL ignored", how: mapsTTL(func(time.Duration) time.Duration { return 0 }), can: precise, caughtBy: []string{"TTL/KeyExpiresInTime", "TTL/SwapSetsIt", "TTL/ExpiredKeyIsMissing", "TTL/ShortestIsTaken", "TTL/NegativeIsRefused", "Watch/ExpiryIsTold"}},
	{name: "TTL ignored where it is not supported", how: mapsTTL(func(time.Duration) time.Duration { return 0 }), caughtBy: []string{"TTL/AnyIsRefused", "TTL/NegativeIsRefused"}},
	{name: "TTL too early", how: mapsTTL(func(d time.Duration) time.Duration { return d / 2 }), can: precise, caughtBy: []string{"TTL/KeyExpiresInTime", "TTL/SwapSetsIt", "TTL/RewriteWithTTLRenewsIt"}},
	{name: "TTL too late", how: mapsTTL(func(d time.Duration) time.Duration { return d + 300*time.Millisecond }), can: precise, caughtBy: []string{"TTL/KeyExpiresInTime"}},
	{name: "TTL in whole seconds", how: mapsTTL(func(d time.Duration) time.Duration { return d.Truncate(time.Second) }), can: precise, caughtBy: []string{"TTL/KeyExpiresInTime", "TTL/ShortestIsTaken"}},
	{name: "TTL of the first write kept", how: keepsTheFirstTTL, can: precise, caughtBy: []string{"TTL/RewriteWithoutTTLClearsIt", "TTL/RewriteWithTTLRenewsIt", "TTL/SwapSetsIt"}},
	{name: "TTL of either sign", how: mapsTTL(time.Duration.Abs), can: precise, caughtBy: []string{"TTL/NegativeIsRefused"}},
	{name: "TTL that is too short taken", how: sound, can: seconds, caughtBy: []string{"TTL/ShorterIsRefused"}},
	{name: "TTL refused and written", how: writesAndRefusesTTLs, caughtBy: []string{"TTL/AnyIsRefused"}},

	{name: "context ignored by Get", how: ignoresContext("Get"), can: precise, caughtBy: []string{"Context/EndedPreventsGet", "Frozen/GetEndsWithItsContext"}},
	{name: "context ignored by GetMany", how: ignoresContext("GetMany"), can: precise, caughtBy: []string{"Context/EndedPreventsGetMany", "Frozen/GetManyEndsWithItsContext"}},
	{name: "context ignored by AtomicPut", how: ignoresContext("AtomicPut"), can: precise, caughtBy: []string{"Context/EndedPreventsCreate", "Context/EndedPreventsAtomicPut", "Frozen/CreateEndsWithItsContext", "Frozen/AtomicPutEndsWithItsContext"}},
	{name: "context ignored by AtomicDelete", how: ignoresContext("AtomicDelete"), can: precise, caughtBy: []string{"Context/EndedPreventsAtomicDelete", "Frozen/AtomicDeleteEndsWithItsContext"}},
	{name: "context ignored by List", how: ignoresContext("List"), can: precise, caughtBy: []string{"Context/EndedPreventsList", "Frozen/ListEndsWithItsContext"}},
	{name: "context ignored by Watch", how: ignoresContext("Watch"), can: precise, caughtBy: []string{"Context/EndedPreventsWatch", "Watch/EndsWithItsContext", "Watch/EndsWithItsContextUnread", "Frozen/WatchEndsWithItsContext", "Frozen/OpenWatchesEndWithTheirContexts"}},
	{name: "write after its context", how: writesLate, can: precise, caughtBy: []string{"Context/EndedPreventsCreate", "Context/EndedPreventsAtomicPut"}},

	{name: "watch that misses deletes", how: missesDeletes, can: precise, caughtBy: []string{"Watch/DeleteIsTold", "Watch/CreateAfterDeleteIsTold", "Watch/ExpiryIsTold", "Watch/LastChangeIsTold"}},
	{name: "watch that misses the state", how: missesTheState, can: precise, caughtBy: []string{"Watch/CurrentStateIsFirst", "Watch/MissingKeyIsFirst"}},
	{name: "watch that misses a missing key", how: missesMissing, can: precise, caughtBy: []string{"Watch/MissingKeyIsFirst"}},
	{name: "watch that shows a missing key as an empty one", how: emptiesMissing, can: precise, caughtBy: []string{"Watch/MissingKeyIsFirst", "Watch/DeleteIsTold"}},
	{name: "watch that misses changes", how: missesChanges, can: precise, caughtBy: []string{"Watch/ChangeIsTold", "Watch/CreateAfterDeleteIsTold"}},
	{name: "watch that misses creates", how: missesCreates, can: precise, caughtBy: []string{"Watch/CreateIsTold"}},
	{name: "watch that drops the latest", how: dropsTheLatest, can: precise, caughtBy: []string{"Watch/SlowReaderIsToldTheLastChange"}},
	{name: "watch that starts late", how: startsLate, can: precise, caughtBy: []string{"Watch/WatchesThatBeginAmidChangesMissNone"}},
	{name: "watch that tells twice", how: tellsTwice, can: precise, caughtBy: []string{"Watch/StateIsNotToldTwice", "Watch/CurrentStateIsFirst"}},
	{name: "watch that tells of other keys", how: tellsOthers, can: precise, caughtBy: []string{"Watch/OtherKeysAreNotTold"}},
	{name: "watch that another ends", how: sharesOneWatch, can: precise, caughtBy: []string{"Watch/ManyOfOneKey"}},
	{name: "watch of one key at a time", how: watchesOneKey, can: precise, caughtBy: []string{"Watch/ManyOfDifferentKeys"}},
	{name: "watch that outlives its context", how: outlives(false), can: precise, caughtBy: []string{"Watch/EndsWithItsContext", "Watch/EndsWithItsContextUnread", "Watch/EndsOnClose", "Frozen/OpenWatchesEndWithTheirContexts"}},
	{name: "watch that outlives its context unread", how: outlives(true), can: precise, caughtBy: []string{"Watch/EndsWithItsContextUnread"}},
	{name: "watch that outlives its store", how: outlivesClose, can: precise, caughtBy: []string{"Watch/EndsOnClose", "Watch/EndsOnCloseUnread", "Frozen/CloseReturns"}},
	{name: "watch that leaves a goroutine", how: leavesGoroutines, can: precise, caughtBy: []string{"Watch/LeavesNoGoroutine"}},

	{name: "hints that do not say that they stand", how: hintsBut(func(pair *store.KVPair) bool { return pair.Key == "" }), can: precise, caughtBy: []string{"HintsBelow/StandsFirst"}},
	{name: "hints that miss creates", how: hintsMissCreates, can: precise, caughtBy: []string{"HintsBelow/CreateIsTold"}},
	{name: "hints that miss changes", how: hintsBut(func(pair *store.KVPair) bool { return string(pair.Value) == "b" }), can: precise, caughtBy: []string{"HintsBelow/ChangeIsTold"}},
	{name: "hints that miss deletes", how: hintsBut(func(pair *store.KVPair) bool { return pair.Key != "" && pair.Value == nil }), can: precise, caughtBy: []string{"HintsBelow/DeleteIsTold", "HintsBelow/LastChangeIsTold"}},
	{name: "hints with another state", how: hintsChangeStates, can: precise, caughtBy: []string{"HintsBelow/CreateIsTold", "HintsBelow/ChangeIsTold", "HintsBelow/ViewIsToldItsOwnKeys"}},
	{name: "hints about all keys", how: hintsOfAll, can: precise, caughtBy: []string{"HintsBelow/OtherKeysAreNotTold"}},
	{name: "hints below a pattern", how: hintsByPattern, can: precise, caughtBy: []string{"HintsBelow/DirectoryIsNoPattern"}},
	{name: "hints that drop the latest", how: hintsDropTheLatest, can: precise, caughtBy: []string{"HintsBelow/SlowReaderIsToldOfEachKey"}},
	{name: "hints that start late", how: hintsStartLate, can: precise, caughtBy: []string{"HintsBelow/HintsThatBeginAmidChangesMissNone"}},
	{name: "hints that outlive their context", how: hintsOutlive, can: precise, caughtBy: []string{"HintsBelow/EndsWithItsContext", "HintsBelow/EndsWithItsContextUnread", "HintsBelow/EndsOnClose"}},
	{name: "hints that outlive their store", how: hintsOutliveClose, can: precise, caughtBy: []string{"HintsBelow/EndsOnClose", "HintsBelow/EndsOnCloseUnread", "HintsBelow/IsRefusedAfterClose"}},
	{name: "hints that ignore their context", how: hintsIgnoreContexts, can: precise, caughtBy: []string{"HintsBelow/EndedContextPreventsIt", "HintsBelow/EndsWithItsContext"}},
	{name: "hints that leave a goroutine", how: hintsLeaveGoroutines, can: precise, caughtBy: []string{"HintsBelow/LeavesNoGoroutine"}},
	{name: "hints that go deaf", how: hintsGoDeaf, can: precise, caughtBy: []string{"HintsBelow/GoesOnOrEndsWhenCut", "HintsBelow/GoesOnOrEndsWhenTheServerRestarts"}},

	{name: "keys trimmed", how: mapsKeys(func(key string) string { return strings.Trim(key, "/") }), can: precise, caughtBy: []string{"Keys/Slashes"}},
	{name: "keys cleaned", how: mapsKeys(cleanPath), can: precise, caughtBy: []string{"Keys/Slashes", "Keys/Dots"}},
	{name: "keys folded", how: mapsKeys(strings.ToLower), can: precise, caughtBy: []string{"Keys/Case", "Keys/Unicode"}},
	{name: "keys without spaces", how: mapsKeys(strings.TrimSpace), can: precise, caughtBy: []string{"Keys/Spaces"}},
	{name: "keys in ASCII", how: mapsKeys(asciiOnly), can: precise, caughtBy: []string{"Keys/Unicode"}},
	{name: "keys unescaped", how: mapsKeys(unescape), can: precise, caughtBy: []string{"Keys/Punctuation", "Keys/Spaces"}},
	{name: "keys cut short", how: mapsKeys(func(key string) string { return key[:min(255, len(key))] }), can: precise, caughtBy: []string{"Keys/512Bytes"}},
	{name: "keys as patterns", how: listsPatterns, can: precise, caughtBy: []string{"Keys/Punctuation"}},
	{name: "empty key taken", how: acceptsEmptyKeys, can: precise, caughtBy: []string{"Keys/EmptyIsRefused"}},

	{name: "empty value as nil", how: findsNil, can: precise, caughtBy: []string{"Values/Nil", "Values/Empty"}},
	{name: "values cut short", how: truncates(1 << 15), can: precise, caughtBy: []string{"Values/64KiB"}},
	{name: "values up to the first zero", how: mapsValues(cString), can: precise, caughtBy: []string{"Values/OneByte", "Values/AllBytes"}},
	{name: "values as text", how: repairsText, can: precise, caughtBy: []string{"Values/AllBytes"}},
	{name: "values as JSON", how: mapsValues(compactJSON), can: precise, caughtBy: []string{"Values/JSON"}},

	{name: "restart that forgets", how: sound, onStop: forgetsOnStop, can: precise, caughtBy: []string{"Restart/CallsGoOnWithTheSameClient", "Linearizable/CallsWhileTheServerRestarts"}},
	{name: "client that gives up", how: givesUp, can: precise, caughtBy: []string{"Cut/CallsGoOnWithTheSameClient"}},
	{name: "watch that goes deaf", how: deafWatches, can: precise, caughtBy: []string{"Cut/WatchGoesOnOrEnds", "Restart/WatchGoesOnOrEnds"}},
	{name: "client that answers itself", how: answersItself, can: precise, caughtBy: []string{"Restart/CallsFailInTimeWhileItIsDown"}},
	{name: "client that takes no answer for none", how: missesWhatItCannotAsk, can: precise, caughtBy: []string{"Restart/CallsFailInTimeWhileItIsDown", "Frozen/GetEndsWithItsContext"}},
	{name: "client that leaves calls behind", how: leavesCalls, can: precise, caughtBy: []string{"Frozen/StuckCallsDoNotPileUp"}},
	{name: "client that closes with a word", how: closesWithAWord, can: precise, caughtBy: []string{"Frozen/CloseReturns"}},
}

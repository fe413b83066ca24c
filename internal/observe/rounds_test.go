package observe

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
)

// roundsOf takes what a reader is told of rounds: the error, or "", by system.
func roundsOf(t *testing.T, r *Reader) map[string]string {
	t.Helper()
	synctest.Wait()
	waiting, _ := r.Next()
	all := make(map[string]string)
	for _, e := range slices.Concat(r.Past(), waiting) {
		var v roundsView
		if err := json.Unmarshal(e.Line, &v); err != nil {
			t.Fatal(err)
		}
		if v.Type == "rounds" {
			all[v.System] = v.Error
		}
	}
	return all
}

func TestReadersAreToldOfTheSystemsThatTheyNameAndNotOfThoseOfOthers(t *testing.T) {
	observing(t, func(t *testing.T, _ *faultstore.Store, o *Observer) {
		o.Asked("asked")
		join := func(systems ...string) *Reader {
			t.Helper()
			r, err := o.ReadAll("", systems, "", false)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(3 * time.Second)
			return r
		}
		var readers []*Reader
		for i := range maxNamed / MaxNamed { // each names as many as it may
			var names []string
			for j := range MaxNamed {
				names = append(names, fmt.Sprintf("system-%02d-%02d", i, j))
			}
			r := join(names...)
			readers = append(readers, r)
			if got := slices.Sorted(maps.Keys(roundsOf(t, r))); !slices.Equal(got, append([]string{"asked"}, names...)) {
				t.Errorf("reader %d is told of %v", i, got)
			}
		}
		// One more has a stream, and gets an error for the name that is one too many.
		r := join("asked", "another", "system-00-00")
		got := roundsOf(t, r)
		if len(got) != 3 || got["another"] == "" || got["asked"] != "" || got["system-00-00"] != "" {
			t.Errorf("one who names one too many is told %v", got)
		}
		o.Leave(readers[1])
		if r := join("another"); roundsOf(t, r)["another"] != "" {
			t.Error("it is not told of the system though others have left")
		}
	})
}

func TestRoundsOfSystemsThatNobodyNamesAnyMoreAreForgotten(t *testing.T) {
	observing(t, func(t *testing.T, _ *faultstore.Store, o *Observer) {
		if _, err := o.ReadAll("", nil, "", false); err != nil { // a reader that stays
			t.Fatal(err)
		}
		for i := range 100 {
			r, err := o.ReadAll("", []string{fmt.Sprint("system", i)}, "", false)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(3 * time.Second)
			synctest.Wait()
			o.mu.Lock()
			if n := len(o.rounds.last); n != 1 {
				t.Errorf("it is remembered what was told of %d systems", n)
			}
			o.mu.Unlock()
			o.Leave(r)
		}
	})
}

func TestJunkNamesDoNotShutSystemsOut(t *testing.T) {
	o := New(Config{Systems: []string{"shown"}})
	defer o.Close()
	for i := range 100 {
		o.Asked(fmt.Sprint("junk", i))
		o.Asked("real")
		o.Asked("shown")
	}
	if all := o.rounds.forAll(); len(all) != maxAsked+1 || !slices.Contains(all, "real") || !slices.Contains(all, "shown") {
		t.Errorf("looked at are %v", all)
	}
}

// systemsOf takes which systems a reader was told of last.
func systemsOf(t *testing.T, r *Reader) (names []string, told bool) {
	t.Helper()
	synctest.Wait()
	waiting, _ := r.Next()
	for _, e := range slices.Concat(r.Past(), waiting) {
		var v systemsView
		if err := json.Unmarshal(e.Line, &v); err != nil {
			t.Fatal(err)
		}
		if v.Type == "systems" {
			names, told = v.Names, true
			if v.Total != len(names) {
				t.Errorf("%d systems in all, named are %v", v.Total, names)
			}
		}
	}
	return names, told
}

func TestReadersAreToldWhichSystemsHaveRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := full(t, 3, 0)
		elect := func(system, round string) {
			t.Helper()
			if _, err := leadership.NewRound(kv, system, round, "a").Elect(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		elect("cleaning", "1")
		elect("cleaning", "2")
		elect("backup", "1")
		o := observer(kv, "")
		r, err := o.ReadAll("", nil, "", false)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		if names, told := systemsOf(t, r); !told || !slices.Equal(names, []string{"backup", "cleaning"}) {
			t.Errorf("told is %v of %v", told, names)
		}
		elect("report", "1")
		time.Sleep(3 * time.Second) // by now the others are known, and not read again
		late, err := o.ReadAll("", nil, "", false)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []*Reader{r, late} {
			if names, _ := systemsOf(t, r); !slices.Equal(names, []string{"backup", "cleaning", "report"}) {
				t.Errorf("then told is %v", names)
			}
			o.Leave(r)
		}
		o.Close()
		_ = kv.Close()
		time.Sleep(time.Minute)
	})
}

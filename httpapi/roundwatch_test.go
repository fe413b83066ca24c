package httpapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/store/faultstore"
)

// roundsOf takes what a reader is told of rounds: the error, or "", by system.
func roundsOf(t *testing.T, told []event, r *eventReader) map[string]string {
	t.Helper()
	synctest.Wait()
	waiting, _ := r.take()
	told = append(told, waiting...)
	all := make(map[string]string)
	for _, e := range told {
		var v roundsView
		if err := json.Unmarshal(e.line, &v); err != nil {
			t.Fatal(err)
		}
		if v.Type == "rounds" {
			all[v.System] = v.Error
		}
	}
	return all
}

func TestReadersAreToldOfTheSystemsThatTheyNameAndNotOfThoseOfOthers(t *testing.T) {
	observing(t, func(t *testing.T, _ *faultstore.Store, h *Handler) {
		ask(t, h, 202, "GET", "/api/v1/elect/asked/1?node=a", "")
		o := h.observer
		join := func(systems ...string) (*eventReader, []event) {
			t.Helper()
			r, past, err := o.joinAll("", systems, "", false)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(3 * time.Second)
			return r, past
		}
		var readers []*eventReader
		for i := range maxNamed / namedByOne { // who name as many as they may
			var names []string
			for j := range namedByOne {
				names = append(names, fmt.Sprintf("system-%02d-%02d", i, j))
			}
			r, past := join(names...)
			readers = append(readers, r)
			if got := slices.Sorted(maps.Keys(roundsOf(t, past, r))); !slices.Equal(got, append([]string{"asked"}, names...)) {
				t.Errorf("reader %d is told of %v", i, got)
			}
		}
		// One more has a stream, and is told which name is one too many.
		r, past := join("asked", "another", "system-00-00")
		got := roundsOf(t, past, r)
		if len(got) != 3 || got["another"] == "" || got["asked"] != "" || got["system-00-00"] != "" {
			t.Errorf("one who names one too many is told %v", got)
		}
		o.leave(&o.all, readers[1])
		if r, past := join("another"); roundsOf(t, past, r)["another"] != "" {
			t.Error("it is not told of the system though others have left")
		}
		query := "/api/v1/events?"
		for i := range namedByOne + 1 {
			query += fmt.Sprintf("system=%d&", i)
		}
		ask(t, h, 400, "GET", query, "")
	})
}

func TestRoundsOfSystemsThatNobodyNamesAnyMoreAreForgotten(t *testing.T) {
	observing(t, func(t *testing.T, _ *faultstore.Store, h *Handler) {
		o := h.observer
		if _, _, err := o.joinAll("", nil, "", false); err != nil { // who stays
			t.Fatal(err)
		}
		for i := range 100 {
			r, _, err := o.joinAll("", []string{fmt.Sprint("system", i)}, "", false)
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
			o.leave(&o.all, r)
		}
	})
}

func TestJunkNamesDoNotShutSystemsOut(t *testing.T) {
	observing(t, func(t *testing.T, _ *faultstore.Store, h *Handler) {
		for i := range maxSystems + 10 {
			ask(t, h, 202, "GET", fmt.Sprintf("/api/v1/elect/junk%d/1?node=a", i), "")
		}
		ask(t, h, 202, "GET", "/api/v1/elect/real/1?node=a", "")
		for what, names := range map[string][]string{"looked at": h.observer.rounds.all(), "swept": h.sweeping()} {
			if want := map[string]int{"looked at": maxAsked, "swept": maxSystems}[what]; !slices.Contains(names, "real") || len(names) != want {
				t.Errorf("%d systems are %s, and not the one that was asked for last", len(names), what)
			}
		}
	})
}

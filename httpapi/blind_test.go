package httpapi

import (
	"encoding/json"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// types are those of the events of an election, in order.
func types(t *testing.T, h *Handler, key string) []string {
	h.observer.mu.Lock()
	defer h.observer.mu.Unlock()
	var all []string
	for _, e := range h.observer.byKey[key].feed.past {
		var v eventView
		if err := json.Unmarshal(e.line, &v); err != nil {
			t.Fatal(err)
		}
		all = append(all, v.Type)
	}
	return all
}

// TestServerThatHasLostTheStoreDoesNotKnowWhoLeads has a leader go on by another way
// than that of the server, which is cut off.
func TestServerThatHasLostTheStoreDoesNotKnowWhoLeads(t *testing.T) {
	const key = "service/a/leader"
	for name, cut := range map[string]func(*faultstore.Store){
		"hangs":    (*faultstore.Store).Partition,
		"refuses":  (*faultstore.Store).Refuse,
		"deadlock": func(kv *faultstore.Store) { kv.IgnoreContexts(true); kv.Partition() },
	} {
		for end, silent := range map[string]bool{"goes on": false, "falls silent": true} {
			t.Run(name+", and the leader "+end, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					direct := memory.New()
					kv := faultstore.New(direct)
					h, err := New(kv, WithObserved("service/"))
					if err != nil {
						t.Fatal(err)
					}
					h.observer.mu.Lock()
					h.observer.until = time.Now().Add(time.Hour) // metrics are asked for
					h.observer.mu.Unlock()
					signal(h.observer.wake)
					claims := leadership.NewClaims(direct, key)
					a := claim(t, direct, key, "a", 15*time.Second)
					lead := func(d time.Duration) {
						for range d / (5 * time.Second) {
							if _, err := claims.Claim(t.Context(), leadership.Claim{Node: "a", Instance: a.Instance, Token: a.Term.Token}); err != nil {
								t.Fatal(err)
							}
							time.Sleep(5 * time.Second)
						}
					}
					lead(20 * time.Second)
					cut(kv)
					if silent {
						time.Sleep(10 * time.Minute)
					} else {
						lead(10 * time.Minute)
					}
					if o := one(t, h); !o.unknown || o.leader != "" || o.vacant != 0 {
						t.Errorf("cut off: %+v", o)
					}
					tells(t, h, `
						leadership_election_vacant_seconds_total{key="service/a/leader"} 0`)
					if got := types(t, h, key); !slices.Equal(got, []string{"leader", "unknown"}) {
						t.Errorf("it is told %v", got)
					}
					kv.IgnoreContexts(false)
					kv.Heal()
					want := []string{"leader", "unknown", "leader"}
					if silent {
						time.Sleep(30 * time.Second)
						want[2] = "expired"
						if o := one(t, h); o.unknown || o.leader != "" || o.vacant < 10*time.Second || o.vacant > 30*time.Second {
							t.Errorf("healed: %+v", o)
						}
					} else {
						lead(30 * time.Second)
						if o := one(t, h); o.unknown || o.leader != "a" || o.vacant != 0 {
							t.Errorf("healed: %+v", o)
						}
					}
					if got := types(t, h, key); !slices.Equal(got, want) {
						t.Errorf("it is told %v, want %v", got, want)
					}
					_ = kv.Close()
					if err := h.Close(); err != nil {
						t.Error(err)
					}
					_ = direct.Close()
					time.Sleep(time.Minute)
				})
			})
		}
	}
}

func TestTimeWithoutALeaderIsCountedWhereItIsKnownAlone(t *testing.T) {
	start := time.Now()
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	stand := func(tl *tally, leader string, token uint64, s int) {
		st := leadership.Standing{Key: "k", Term: leadership.Term{Leader: leader, Token: token}}
		if leader != "" {
			st.Left = 10 * time.Second
		}
		tl.see(st, at(s), false)
	}
	var tl tally
	check := func(s int, kind string, vacant int) {
		t.Helper()
		tl.pass(at(s))
		if o := tl.observed(at(s)); tl.kind() != kind || o.vacant != time.Duration(vacant)*time.Second || o.unknown != (kind == "unknown") {
			t.Errorf("after %d s it is %s, and was vacant for %v, want %s and %d", s, tl.kind(), o.vacant, kind, vacant)
		}
	}
	stand(&tl, "a", 1, 0)
	tl.failed = true
	check(5, "leader", 0) // its time is not over
	tl.failed = false
	check(13, "expired", 3)
	tl.failed = true
	check(14, "unknown", 4)
	check(60, "unknown", 4)
	tl.failed = false
	check(61, "expired", 4)
	check(63, "expired", 6)
	tl.failed = true
	check(64, "unknown", 7)
	stand(&tl, "b", 2, 70) // another was elected unseen
	check(71, "leader", 7)
	tl.failed = true
	check(90, "unknown", 7)
	tl.failed = false
	check(91, "expired", 7)
	if v := tl.observedView(at(92)); !v.Vacant.Equal(at(91)) {
		t.Errorf("nobody is known to lead since %v", v.Vacant)
	}
}

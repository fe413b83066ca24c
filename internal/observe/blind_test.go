package observe

import (
	"encoding/json"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// types are those of the events of an election, in order.
func types(t *testing.T, o *Observer, key string) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []string
	for _, e := range o.byKey[key].feed.past {
		var v eventView
		if err := json.Unmarshal(e.Line, &v); err != nil {
			t.Fatal(err)
		}
		all = append(all, v.Type)
	}
	return all
}

// TestServerThatHasLostTheStoreDoesNotKnowWhoLeads cuts the server off from the store,
// while the leader goes on by another connection.
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
					o := observer(kv, "service/")
					o.ObserveFor(t.Context(), time.Hour) // metrics are asked for
					claims := leadership.NewClaims(direct, key)
					a := electiontest.Claim(t, direct, key, "a", 15*time.Second)
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
					if e := one(t, o); !e.Unknown || e.Leader != "" || e.Vacant != 0 {
						t.Errorf("cut off: %+v", e)
					}
					if got := types(t, o, key); !slices.Equal(got, []string{"leader", "unknown"}) {
						t.Errorf("it is told %v", got)
					}
					kv.IgnoreContexts(false)
					kv.Heal()
					want := []string{"leader", "unknown", "leader"}
					if silent {
						time.Sleep(30 * time.Second)
						want[2] = "expired"
						if e := one(t, o); e.Unknown || e.Leader != "" || e.Vacant < 10*time.Second || e.Vacant > 30*time.Second {
							t.Errorf("healed: %+v", e)
						}
					} else {
						lead(30 * time.Second)
						if e := one(t, o); e.Unknown || e.Leader != "a" || e.Vacant != 0 {
							t.Errorf("healed: %+v", e)
						}
					}
					if got := types(t, o, key); !slices.Equal(got, want) {
						t.Errorf("it is told %v, want %v", got, want)
					}
					_ = kv.Close()
					o.Close()
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
	stand := func(h *history, leader string, token uint64, s int) {
		st := leadership.Standing{Key: "k", Term: leadership.Term{Leader: leader, Token: token}}
		if leader != "" {
			st.Left = 10 * time.Second
		}
		h.see(st, at(s), false)
	}
	var h history
	check := func(s int, kind string, vacant int) {
		t.Helper()
		h.pass(at(s))
		if e := h.election(at(s)); h.kind() != kind || e.Vacant != time.Duration(vacant)*time.Second || e.Unknown != (kind == "unknown") {
			t.Errorf("after %d s it is %s, and was vacant for %v, want %s and %d", s, h.kind(), e.Vacant, kind, vacant)
		}
	}
	stand(&h, "a", 1, 0)
	h.failed = true
	check(5, "leader", 0) // its time is not over
	h.failed = false
	check(13, "expired", 3)
	h.failed = true
	check(14, "unknown", 4)
	check(60, "unknown", 4)
	h.failed = false
	check(61, "expired", 4)
	check(63, "expired", 6)
	h.failed = true
	check(64, "unknown", 7)
	stand(&h, "b", 2, 70) // another was elected unseen
	check(71, "leader", 7)
	h.failed = true
	check(90, "unknown", 7)
	h.failed = false
	check(91, "expired", 7)
	if v := h.event(at(92)); !v.Vacant.Equal(at(91)) {
		t.Errorf("nobody is known to lead since %v", v.Vacant)
	}
}

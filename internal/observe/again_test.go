package observe

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// TestReadersAreToldOfANewLeaderInASecond has an election end and begin again in several
// ways: while the server has lost the store, and while no watch tells it.
func TestReadersAreToldOfANewLeaderInASecond(t *testing.T) {
	const key = "service/a/leader"
	for name, between := range map[string]func(kv *faultstore.Store){
		"after an outage": func(kv *faultstore.Store) { kv.Refuse(); time.Sleep(30 * time.Second); kv.Heal() },
		"some time after an outage": func(kv *faultstore.Store) {
			kv.Refuse()
			time.Sleep(30 * time.Second)
			kv.Heal()
			time.Sleep(1100 * time.Millisecond)
		},
		"after a store that is silent": func(kv *faultstore.Store) { kv.Partition(); time.Sleep(12 * time.Second); kv.Heal() },
		"without a watch":              func(kv *faultstore.Store) { kv.MuteWatches(true); time.Sleep(20 * time.Second) },
	} {
		for _, ttl := range []time.Duration{time.Second, 15 * time.Second} {
			for _, all := range []bool{false, true}[:readers(name)] {
				t.Run(name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						direct := memory.New()
						kv := faultstore.New(direct)
						o := observer(kv, "service/")
						electiontest.Claim(t, direct, key, "a", ttl)
						r, err := o.Read(key, "")
						if all {
							o.Leave(r)
							r, err = o.ReadAll("", nil, "", false)
						}
						if err != nil {
							t.Fatal(err)
						}
						time.Sleep(time.Second)
						pair, err := direct.Get(t.Context(), key, nil)
						if err != nil {
							t.Fatal(err)
						}
						if _, err := direct.AtomicDelete(t.Context(), key, pair); err != nil {
							t.Fatal(err)
						}
						between(kv)
						b := electiontest.Claim(t, direct, key, "b", ttl)
						time.Sleep(time.Second)
						synctest.Wait()
						if got := o.byKey[key].history.view; got.Leader != "b" || got.Token != b.Term.Token {
							t.Errorf("with a TTL of %v it is told, after a second, that %q leads", ttl, got.Leader)
						}
						o.Leave(r)
						o.Close()
						_ = kv.Close()
						_ = direct.Close()
						time.Sleep(time.Minute)
					})
				})
			}
		}
	}
}

// readers returns 2 where it goes for those who read all elections as well: without a watch
// those learn of a leader later, for there may be many elections that they do not look at.
func readers(name string) int {
	if name == "without a watch" {
		return 1
	}
	return 2
}

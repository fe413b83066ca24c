package observe

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
)

func TestObserverTellsAllTermsThatItRemembersAndItsEventsTheLast(t *testing.T) {
	observing(t, func(t *testing.T, kv *faultstore.Store, o *Observer) {
		const key = "service/leader"
		if terms, _, ok := o.Terms(key); ok {
			t.Errorf("of no election there are %v", terms)
		}
		claims := leadership.NewClaims(kv, key)
		for i := range maxTold + 3 {
			won, err := claims.Claim(t.Context(), leadership.Claim{Node: fmt.Sprint("node-", i), TTL: time.Second})
			if err != nil || !won.Won {
				t.Fatal(won, err)
			}
			time.Sleep(3 * time.Second)
		}
		synctest.Wait()
		terms, _, ok := o.Terms(key)
		if !ok || len(terms) != maxTold+3 || terms[0].Leader != "node-0" || terms[0].Reason != "expired" {
			t.Errorf("%v: %d terms, %+v", ok, len(terms), terms)
		}
		o.mu.Lock()
		v := o.byKey[key].history.event(time.Now())
		o.mu.Unlock()
		if len(v.Past) != maxTold || v.Earlier != 3 || v.Past[0].Leader != "node-3" {
			t.Errorf("an event has %d terms and %d earlier ones: %+v", len(v.Past), v.Earlier, v.Past)
		}
	})
}

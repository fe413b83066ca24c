package httpapi_test

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/seed-a1d591d3/leadership/store"
)

func TestCopyOfAHolderIsToldThatAnotherRenews(t *testing.T) {
	onStores(t, func(t *testing.T, kv store.Store) {
		one, two := serve(t, kv), serve(t, kv)
		first := tell(t, one, "POST", election("/claim"), `{"node":"a","ttl":"30s","instance":"instance-of-holder-a"}`, 200)
		renewal := func(beat string) string {
			return fmt.Sprintf(`{"node":"a","instance":"instance-of-holder-a","token":%d,"beat":%q}`, first.Token, beat)
		}
		resignation := func(beat string) string {
			return fmt.Sprintf(`{"instance":"instance-of-holder-a","token":%d,"beat":%q}`, first.Token, beat)
		}
		second := tell(t, two, "POST", election("/claim"), renewal(first.Beat), 200)
		if first.Beat == "" || second.Beat == first.Beat {
			t.Fatalf("beats %q and %q", first.Beat, second.Beat)
		}
		for _, server := range []*httptest.Server{one, two} {
			if refused := tell(t, server, "POST", election("/claim"), renewal(first.Beat), 409); refused.Beat != second.Beat {
				t.Errorf("the copy is told %+v, want beat %s", refused, second.Beat)
			}
			tell(t, server, "POST", election("/resign"), resignation(first.Beat), 409)
		}
		third := tell(t, one, "POST", election("/claim"), renewal(second.Beat), 200)
		send(t, two, "POST", election("/resign"), resignation(third.Beat))
		if state := tell(t, one, "GET", election(""), "", 200); state.Leader != "" {
			t.Errorf("%q leads", state.Leader)
		}
	})
}

package servers

import (
	"context"
	"testing"
	"time"
)

func TestEnsembleServesWhileMembersComeAndGo(t *testing.T) {
	for _, name := range []string{"etcd", "zookeeper"} {
		t.Run(name, func(t *testing.T) {
			e := NewEnsemble(t, name)
			leader := e.Leader()
			e.Members[leader].Stop()
			if another := e.Leader(); another == leader {
				t.Errorf("the member that is stopped leads")
			}
			e.Members[leader].Restart()
			e.Members[leader].Restart() // with what the others have told it
			e.Await()
			follower := (e.Leader() + 1) % len(e.Members)
			e.Replace(follower)
			e.Members[(follower+1)%3].Stop() // and the newcomer has to vote
			e.Await()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if leads, err := e.kind.leads(ctx, e.all[follower]); leads || err == nil {
				t.Errorf("the member that was replaced leads: %v, %v", leads, err)
			}
		})
	}
}

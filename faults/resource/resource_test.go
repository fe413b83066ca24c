package resource_test

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/seed-a1d591d3/leadership/faults/history"
	"github.com/seed-a1d591d3/leadership/faults/resource"
)

// start starts a server for t, and returns a client of it and what reads its log after
// its end.
func start(t *testing.T) (*resource.Client, func() []*history.Log) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "resource.log")
	log, err := history.Create(path, history.Process{Role: history.Resource})
	if err != nil {
		t.Fatal(err)
	}
	server, err := resource.Start(log)
	if err != nil {
		t.Fatal(err)
	}
	client := resource.NewClient(server.Addr)
	end := sync.OnceFunc(func() {
		client.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(end)
	return client, func() []*history.Log {
		t.Helper()
		end()
		logs, err := history.ReadDir(filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		return logs
	}
}

func TestFenceRefusesWhatTheOtherTakes(t *testing.T) {
	client, logs := start(t)
	for _, w := range []struct {
		resource string
		token    uint64
		want     string
	}{
		{history.Fenced, 7, history.Accepted},
		{history.Unfenced, 7, history.Accepted},
		{history.Fenced, 6, history.Refused},
		{history.Unfenced, 6, history.Accepted},
		{history.Fenced, 7, history.Accepted},
		{history.Fenced, 8, history.Accepted},
		{"no resource", 8, history.Unknown},
	} {
		if l := client.Write(w.resource, w.token); l.Answer != w.want || l.Before >= l.After {
			t.Errorf("a write to %s with %d: %v, want it %s", w.resource, w.token, l, w.want)
		}
	}
	r := history.Check(logs(), history.Limits{})
	if len(r.Violations) > 0 || r.Stale != 0 || r.StaleUnfenced != 1 {
		t.Errorf("found %+v", r)
	}
}

func TestRacingWritesAreLoggedInOrder(t *testing.T) {
	client, logs := start(t)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range uint64(50) {
				client.Write(history.Fenced, 1+n/2+uint64(i))
				client.Write(history.Unfenced, 1+n/2+uint64(i))
			}
		})
	}
	all.Wait()
	read := logs()
	if n := len(read[0].Lines); n != 800 {
		t.Errorf("%d writes were logged, want 800", n)
	}
	if r := history.Check(read, history.Limits{}); len(r.Violations) > 0 {
		t.Errorf("found %v", r.Violations)
	}
}

func TestServerThatIsGoneAnswersNothing(t *testing.T) {
	client, logs := start(t)
	logs()
	if l := client.Write(history.Fenced, 7); l.Answer != history.Unknown {
		t.Errorf("got %v", l)
	}
}

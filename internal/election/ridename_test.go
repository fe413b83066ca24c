package election

import (
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// TestSessionIsEndedAfterItsOwnTTL: a candidate with a shorter one may have claimed.
func TestSessionIsEndedAfterItsOwnTTL(t *testing.T) {
	long := Record{Header: Sessions, Leader: "a", Instance: "a", Token: 1, Millis: 30_000, Beat: 1}
	rec := Record{Header: Riding, Leader: "a", Instance: "a", Token: 1, Millis: 5_000, Session: "one", Ride: &Ride{Pair: &store.KVPair{}, Rec: long}}
	if d := rec.Stands(); d != 30*time.Second {
		t.Errorf("stands for %v", d)
	}
	rec.Millis = 60_000
	if d := rec.Stands(); d != time.Minute {
		t.Errorf("stands for %v", d)
	}
}

func TestSessionIsNamedRelativeToTheKey(t *testing.T) {
	for _, c := range []struct{ key, session, name string }{
		{"app/x", "app/sessions/r", "sessions/r"},
		{"x", "sessions/r", "sessions/r"},
		{"x", "app/sessions/r", "app/sessions/r"},
		{"app/x", "sessions/r", "../sessions/r"},
		{"app/shards/7", "app/sessions/r", "../sessions/r"},
		{"/app/x", "/app/sessions/r", "sessions/r"},
		{"a//x", "a/sessions/r", "../sessions/r"},
		{"other/y/x", "app/sessions/r", "../../app/sessions/r"},
		{"app/sessions/r", "app/sessions/r", "r"},
	} {
		if name := NameSession(c.key, c.session); name != c.name {
			t.Errorf("%s names %s %q, not %q", c.key, c.session, name, c.name)
		}
		for _, prefix := range []string{"", "p/", "p/q/"} { // as others see the store
			if key, err := (Record{Session: c.name}).SessionKey(prefix + c.key); err != nil || key != prefix+c.session {
				t.Errorf("%s names %s %q, which is %q, %v", prefix+c.key, prefix+c.session, c.name, key, err)
			}
		}
	}
	if key, err := (Record{Session: "../sessions/r"}).SessionKey("x"); err == nil {
		t.Errorf("it is found under %q", key)
	}
}

package redis_test

import (
	"strings"
	"testing"

	"github.com/seed-a1d591d3/leadership/store"
)

// TestPasswordOfASocketWithASlashIsNotShown: the slash ends the login, and the rest looks
// like the path.
func TestPasswordOfASocketWithASlashIsNotShown(t *testing.T) {
	for _, u := range []string{"unix://:fore/secret@/run/redis.sock", "unix://user:fore/secret@/run/redis.sock", "unix://:fore?db=secret@/run/redis.sock"} {
		_, err := store.Open(t.Context(), u)
		if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "fore") {
			t.Errorf("Open: %v", err)
		}
		target, err := store.Resolve(u)
		if err == nil || strings.Contains(err.Error(), "secret") || target != nil {
			t.Errorf("Resolve: %v, %v", target, err)
		}
	}
}

package watches

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// TestEveryLastChangeIsShown: whatever befalls the watch of a directory and the reads of its
// keys, in the end each key has been shown as it is, if it has changed since it is watched.
func TestEveryLastChangeIsShown(t *testing.T) {
	for seed := range uint64(8) {
		kv := &forest{keysOnly: seed%3 == 0}
		withCrowd(t, kv, TreeKeys+50, func(c *crowd) {
			r := rand.New(rand.NewPCG(seed, 0))
			last := make(map[int]string) // what each key holds that has changed since it was watched
			shown := make(map[int]string)
			note := func() {
				synctest.Wait()
				c.mu.Lock()
				defer c.mu.Unlock()
				for i, values := range c.shown {
					if len(values) > 0 {
						shown[i] = values[len(values)-1]
					}
				}
			}
			for step := range 400 {
				switch i := r.IntN(len(c.all)); r.IntN(12) {
				case 0:
					if len(last) > 0 && last[i] != "" {
						if err := kv.Delete(t.Context(), kv.key(i)); err != nil {
							t.Fatal(err)
						}
						last[i] = ""
					}
				case 1:
					kv.set(func() { kv.slow = time.Duration(r.IntN(300)) * time.Millisecond })
				case 2:
					kv.set(func() { kv.cut() })
				case 3: // neither watches nor reads
					kv.set(func() { kv.down = true; kv.cut() })
					time.Sleep(time.Duration(r.IntN(20)) * time.Second)
					kv.set(func() { kv.down = false; kv.cut() })
				case 4:
					c.open()
				case 5:
					time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
				default:
					last[i] = fmt.Sprint(step)
					c.put(i, last[i])
				}
			}
			kv.set(func() { kv.slow = 0 })
			time.Sleep(time.Minute)
			note()
			for i, want := range last {
				if got := shown[i]; got != want { // it was missing at first
					c.Errorf("seed %d: %s was last shown as %q; it is %q", seed, kv.key(i), got, want)
				}
			}
		})
	}
}

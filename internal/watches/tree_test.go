package watches

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestManyKeysOfADirectoryShareOneWatch(t *testing.T) {
	for i, format := range []string{"service/%05d", "/a/b/%05d/leader", "service/%05d/some/leader", "service/%05d/"} {
		keysOnly := i%2 == 0
		kv := &forest{keysOnly: keysOnly, format: format}
		withCrowd(t, kv, 300, func(c *crowd) {
			if trees, opened, own, _, _ := kv.counts(); trees != 1 || opened != 1 || own != 0 {
				t.Errorf("%s: %d watches of directories, of %d, and %d of keys", format, trees, opened, own)
			}
			c.put(7, "new")
			c.want("map[7:new]")
			if _, _, _, calls, read := kv.counts(); keysOnly && (calls != 1 || read != 1) || !keysOnly && calls != 0 {
				t.Errorf("%d calls for %d keys", calls, read)
			}
			c.put(7, "newer")
			c.put(299, "other")
			c.want("map[7:newer 299:other]")
			if err := kv.Delete(c.Context(), kv.key(7)); err != nil {
				t.Fatal(err)
			}
			c.want("map[7:]")
		})
	}
}

func TestFewKeysHaveWatchesOfTheirOwn(t *testing.T) {
	kv := new(forest)
	withCrowd(t, kv, TreeKeys-1, func(c *crowd) {
		if _, opened, own, _, _ := kv.counts(); opened != 0 || own != TreeKeys-1 {
			t.Errorf("%d watches of directories and %d of keys", opened, own)
		}
		c.put(1, "new")
		c.want("map[1:new]")
		other := Open(c.Context(), kv, "another/key", second, silent)
		if _, opened, own, _, _ := kv.counts(); opened != 0 || own != TreeKeys {
			t.Errorf("%d watches of directories and %d of keys with one of another directory", opened, own)
		}
		<-other.Close()
	})
}

func TestKeysWithoutADirectoryHaveWatchesOfTheirOwn(t *testing.T) {
	kv := new(forest)
	withCrowd(t, kv, 0, func(c *crowd) {
		for i := range 2 * TreeKeys {
			c.all = append(c.all, Open(c.Context(), kv, []string{"", "/"}[i%2]+fmt.Sprint(i), second, silent))
		}
		if _, opened, own, _, _ := kv.counts(); opened != 0 || own != 2*TreeKeys {
			t.Errorf("%d watches of directories and %d of keys", opened, own)
		}
	})
}

func TestKeysOfOthersInTheDirectoryAreIgnored(t *testing.T) {
	kv := &forest{keysOnly: true}
	withCrowd(t, kv, 300, func(c *crowd) {
		c.put(300, "foreign")
		c.put(5, "mine")
		c.want("map[5:mine]")
		if _, _, _, _, read := kv.counts(); read != 1 {
			t.Errorf("%d keys were read, want 1", read)
		}
	})
}

func TestKeyThatJoinsOrIsClosedIsTakenIntoAccount(t *testing.T) {
	kv := &forest{keysOnly: true}
	withCrowd(t, kv, 300, func(c *crowd) {
		c.put(300, "before")
		synctest.Wait()
		c.open()
		c.want("map[]") // its user looks by itself
		c.put(300, "after")
		c.want("map[300:after]")
		<-c.all[300].Close()
		<-c.all[3].Close()
		c.put(300, "closed")
		c.put(3, "closed")
		c.put(4, "open")
		c.want("map[4:open]")
		if trees, opened, own, _, _ := kv.counts(); trees != 1 || opened != 1 || own != 0 {
			t.Errorf("%d watches of directories, of %d, and %d of keys", trees, opened, own)
		}
	})
}

func TestUsersOfOneKeyShareWhatTheTreeShows(t *testing.T) {
	kv := &forest{keysOnly: true}
	withCrowd(t, kv, 300, func(c *crowd) {
		c.put(9, "a")
		c.take()
		var late atomic.Int64
		w := Open(c.Context(), store.WithPrefix(kv, "service/"), "00009", second, func(*Shown) { late.Add(1) })
		c.put(9, "b")
		c.want("map[9:b]")
		<-w.Close()
		c.put(9, "c")
		c.want("map[9:c]")
		if n := late.Load(); n != 1 {
			t.Errorf("the one who came later was told %d times, want 1", n)
		}
	})
}

// TestOneWhoIsNewToAKeyIsToldAgain: what he saw when he looked may have changed back, as in a
// store that lost its last writes.
func TestOneWhoIsNewToAKeyIsToldAgain(t *testing.T) {
	kv := &forest{keysOnly: true}
	withCrowd(t, kv, 300, func(c *crowd) {
		c.put(9, "a")
		c.put(8, "a")
		c.want("map[8:a 9:a]")
		told := ""
		w := Open(c.Context(), kv, kv.key(9), second, func(s *Shown) { told = string(s.Pair.Value) })
		kv.set(func() { kv.cut() })
		time.Sleep(2 * second())
		if shown := c.take(); shown[8] != "" || shown[9] != "a" || told != "a" {
			t.Errorf("shown: %q and %q, and to the one who is new %q", shown[8], shown[9], told)
		}
		<-w.Close()
	})
}

func TestStateThatIsOlderThanWhatWasReadIsNotShown(t *testing.T) {
	kv := new(forest)
	withCrowd(t, kv, 300, func(c *crowd) {
		c.put(9, "a")
		c.want("map[9:a]")
		kv.set(func() { kv.lag = second() })
		if err := kv.Delete(c.Context(), kv.key(9)); err != nil {
			t.Fatal(err)
		}
		for _, value := range []string{"b", "c"} { // each is under way
			synctest.Wait()
			c.put(9, value)
		}
		time.Sleep(10 * second())
		c.want("map[9:c]")
	})
}

func TestWhatWasMissedIsShownWhenTheTreeStandsAgain(t *testing.T) {
	for _, keysOnly := range []bool{false, true} {
		kv := &forest{keysOnly: keysOnly}
		withCrowd(t, kv, 1500, func(c *crowd) {
			c.put(1, "before")
			c.want("map[1:before]")
			kv.set(func() { kv.down = true; kv.cut() })
			time.Sleep(5 * second())
			c.put(2, "missed")
			c.want("map[]")
			kv.set(func() { kv.down = false })
			kv.counts()
			time.Sleep(2 * second())
			shown := c.take()
			if _, again := shown[1]; again || shown[2] != "missed" {
				t.Errorf("shown: %q and %q, want nothing and what was missed", shown[1], shown[2])
			}
			if trees, _, own, calls, read := kv.counts(); trees != 1 || own != 0 || calls != 2 || read != 1500 {
				t.Errorf("%d watches of directories, %d of keys; %d calls for %d keys", trees, own, calls, read)
			}
			c.put(3, "after")
			c.want("map[3:after]")
		})
	}
}

func TestWhatChangesBeforeTheTreeStandsIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := &forest{Store: memory.New(), down: true}
		defer kv.Close()
		c := &crowd{T: t, kv: kv}
		for range 300 {
			c.open()
		}
		synctest.Wait()
		if _, _, own, _, _ := kv.counts(); own != TreeKeys-1 {
			t.Errorf("%d watches of keys, want %d until the tree stands", own, TreeKeys-1)
		}
		c.take()
		c.put(1, "own")
		c.want("map[1:own]")
		c.put(299, "new")
		c.want("map[]")
		kv.set(func() { kv.down = false })
		time.Sleep(2 * second())
		if shown := c.take(); shown[299] != "new" {
			t.Errorf("shown: %v", shown)
		}
		for _, w := range c.all {
			<-w.Close()
		}
	})
}

func TestKeysWatchAloneWhereTheTreeIsRefused(t *testing.T) {
	kv := &forest{refuse: true}
	withCrowd(t, kv, 300, func(c *crowd) {
		c.open()
		time.Sleep(time.Minute)
		c.take()
		if _, opened, own, _, _ := kv.counts(); opened != 1 || own != 301 {
			t.Errorf("%d tries, and %d watches of keys", opened, own)
		}
		c.put(299, "new")
		c.put(300, "new")
		c.want("map[299:new 300:new]")
	})
}

func TestDirectoryMayBeWatchedThoughThatAboveMayNot(t *testing.T) {
	kv := &forest{forbidden: "service/"}
	withCrowd(t, kv, 0, func(c *crowd) {
		open := func(directory string, n int) {
			kv.format = directory + "%05d"
			for range n {
				c.open()
			}
		}
		open("service/a/", TreeKeys/2)
		open("service/b/", TreeKeys/2)
		if trees, opened, own, _, _ := kv.counts(); trees != 0 || opened != 1 || own != TreeKeys {
			t.Errorf("%d watches of directories, of %d, and %d of keys", trees, opened, own)
		}
		open("service/a/", TreeKeys/2)
		time.Sleep(2 * second())
		if trees, opened, own, _, _ := kv.counts(); trees != 1 || opened != 2 || own != TreeKeys/2 {
			t.Errorf("then %d watches of directories, of %d, and %d of keys", trees, opened, own)
		}
		c.take()
		kv.format = "service/a/%05d"
		c.put(0, "new")
		kv.format = "service/b/%05d"
		c.put(TreeKeys/2, "new")
		c.want(fmt.Sprintf("map[0:new %d:new]", TreeKeys/2))
	})
}

func TestKeysWatchAloneOnceTheTreeIsRefused(t *testing.T) {
	kv := new(forest)
	withCrowd(t, kv, 300, func(c *crowd) {
		kv.set(func() { kv.refuse = true; kv.cut() })
		c.put(4, "missed")
		time.Sleep(2 * second())
		if shown := c.take(); shown[4] != "missed" {
			t.Errorf("shown: %v", shown)
		}
		c.put(5, "new")
		c.want("map[5:new]")
	})
}

func TestManyChangesCostFewReads(t *testing.T) {
	kv := &forest{keysOnly: true, slow: 10 * time.Millisecond}
	withCrowd(t, kv, 1000, func(c *crowd) {
		for i := range 1000 {
			c.put(i, "new")
		}
		time.Sleep(second())
		if shown := c.take(); len(shown) != 1000 {
			t.Errorf("%d were told", len(shown))
		}
		if _, _, _, calls, _ := kv.counts(); calls > 3 {
			t.Errorf("%d calls", calls)
		}
		// While a key is read it changes again.
		c.put(1, "a")
		time.Sleep(5 * time.Millisecond)
		c.put(1, "b")
		time.Sleep(second())
		if shown := c.take()[1]; !strings.HasSuffix(shown, "b") {
			t.Errorf("shown: %q", shown)
		}
	})
}

func TestKeyThatCannotBeReadDoesNotHinderOthers(t *testing.T) {
	kv := &forest{keysOnly: true, poison: "00500", slow: 10 * time.Millisecond}
	withCrowd(t, kv, 1000, func(c *crowd) {
		kv.set(func() { kv.cut() }) // so that all are due at once when it stands again
		for i := range 1000 {
			c.put(i, "new")
		}
		time.Sleep(2 * second())
		if shown := c.take(); len(shown) != 999 {
			t.Errorf("%d were told", len(shown))
		}
		if _, _, _, calls, _ := kv.counts(); calls > 30 {
			t.Errorf("%d calls", calls)
		}
	})
}

func TestReadsThatFailAreMadeAgainSlowly(t *testing.T) {
	kv := &forest{keysOnly: true}
	withCrowd(t, kv, 300, func(c *crowd) {
		kv.set(func() { kv.down = true })
		for i := range 300 {
			c.put(i, "new")
		}
		time.Sleep(time.Minute)
		c.want("map[]")
		if _, _, _, calls, _ := kv.counts(); calls > 50 {
			t.Errorf("%d calls in a minute", calls)
		}
		kv.set(func() { kv.down = false })
		time.Sleep(2 * longestPause)
		if shown := c.take(); len(shown) < 270 {
			t.Errorf("%d were told", len(shown))
		}
	})
}

func TestTreeEndsAlthoughAReadHangs(t *testing.T) {
	kv := &forest{keysOnly: true, slow: time.Hour}
	withCrowd(t, kv, 300, func(c *crowd) {
		c.put(1, "new")
		began := time.Now()
		for _, w := range c.all {
			<-w.Close()
		}
		if took := time.Since(began); took > 2*Grace {
			t.Errorf("it took %v", took)
		}
		time.Sleep(2 * time.Hour)
	})
}

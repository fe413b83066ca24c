package goroutines

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestGoroutinesOfOthersDoNotCount(t *testing.T) {
	end, done := make(chan struct{}), make(chan struct{}, 2)
	defer close(end)
	others := make(chan struct{})
	go func() {
		for range others {
			go func() { <-end }()
		}
	}()
	Of(func(count func() int) {
		hang := make(chan struct{})
		go func() {
			go func() { <-hang; done <- struct{}{} }()
			others <- struct{}{} // started meanwhile, by another
			<-hang
			done <- struct{}{}
		}()
		others <- struct{}{}
		eventually(t, count, 2)
		close(hang)
		<-done
		<-done
		eventually(t, count, 0)
	})
	close(others)
}

func eventually(t *testing.T, count func() int, want int) {
	t.Helper()
	for began := time.Now(); count() != want; time.Sleep(time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			t.Fatalf("%d goroutines, want %d", count(), want)
		}
	}
}

func TestGoroutinesOutsideOfTheBubbleDoNotCount(t *testing.T) {
	end := make(chan struct{})
	defer close(end)
	others := make(chan struct{})
	defer close(others)
	go func() {
		for range others {
			go func() { <-end }()
		}
	}()
	others <- struct{}{}
	if n := InBubble(); n != 0 {
		t.Errorf("%d goroutines in no bubble", n)
	}
	synctest.Test(t, func(t *testing.T) {
		before := InBubble()
		hang := make(chan struct{})
		for range 7 {
			go func() { <-hang }()
		}
		others <- struct{}{} // started meanwhile, outside
		others <- struct{}{} // which it takes once it has started that
		synctest.Wait()
		if n := InBubble() - before; n != 7 {
			t.Errorf("%d goroutines more in the bubble, want 7", n)
		}
		close(hang)
		synctest.Wait()
		if n := InBubble(); n != before {
			t.Errorf("%d goroutines in the bubble, want %d", n, before)
		}
	})
}

func TestGoroutinesAreCountedByWhoHasStartedThem(t *testing.T) {
	const function = "github.com/seed-a1d591d3/leadership/internal/goroutines.starts"
	end := make(chan struct{})
	for i := range 3 {
		if n, _ := CreatedBy(function); n != i {
			t.Errorf("%d goroutines, want %d", n, i)
		}
		starts(end)
		go func() { <-end }() // started by another
	}
	if n, stacks := CreatedBy(function); n != 3 || strings.Count(string(stacks), "created by "+function) != 3 {
		t.Errorf("%d goroutines:\n%s", n, stacks)
	}
	close(end)
	eventually(t, func() int { n, _ := CreatedBy(function); return n }, 0)
}

func starts(end <-chan struct{}) { go func() { <-end }() }

package goroutines

import (
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
	for range 5 {
		go func() { <-end }()
	}
	defer close(end)
	if n := InBubble(); n != 0 {
		t.Errorf("%d goroutines in no bubble", n)
	}
	synctest.Test(t, func(t *testing.T) {
		before := InBubble()
		hang := make(chan struct{})
		for range 7 {
			go func() { <-hang }()
		}
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

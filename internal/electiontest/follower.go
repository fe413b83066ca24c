package electiontest

import (
	"errors"
	"sync"

	"github.com/seed-a1d591d3/leadership"
)

// follower is a follower and all that its channels have said.
type follower struct {
	*leadership.Follower
	closed chan struct{} // closed when both channels are

	mu    sync.Mutex
	heard []string
	errs  []error
}

func (f *follower) listen(leaders <-chan string, errs <-chan error) {
	defer close(f.closed)
	for leaders != nil || errs != nil {
		select {
		case leader, ok := <-leaders:
			if !ok {
				leaders = nil
				continue
			}
			f.mu.Lock()
			f.heard = append(f.heard, leader)
			f.mu.Unlock()
		case err, ok := <-errs:
			if !ok {
				errs = nil
				continue
			}
			f.mu.Lock()
			f.errs = append(f.errs, err)
			f.mu.Unlock()
		}
	}
}

// says reports whether both the channel and Leader say that node leads, or with
// an empty name that nobody does.
func (f *follower) says(node string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	last := ""
	if len(f.heard) > 0 {
		last = f.heard[len(f.heard)-1]
	}
	return last == node && f.Leader() == node
}

// word returns what the channel said n-th, counting from 0.
func (f *follower) word(n int) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.heard[n]
}

func (f *follower) reported(target error) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, err := range f.errs {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

func (f *follower) isClosed() bool { return isClosed(f.closed) }

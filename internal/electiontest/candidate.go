package electiontest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
)

// candidate is a candidate and all that its channels have said.
type candidate struct {
	*leadership.Candidate
	node   string
	link   *faultstore.Store // what it reaches the store through
	cancel context.CancelFunc
	closed chan struct{} // closed when both channels are

	mu      sync.Mutex
	leads   bool      // as the channel said last
	elected time.Time // when it last said true
	demoted time.Time // when it last said false
	errs    []error
}

// crash cuts the candidate off from the store for good, as its death does: to
// the others there is no difference.
func (c *candidate) crash() { c.link.Partition() }

// listen reads both channels until they are closed, and checks that false comes
// first and true and false take turns.
func (c *candidate) listen(t *testing.T, elected <-chan bool, errs <-chan error) {
	defer close(c.closed)
	first := true
	for elected != nil || errs != nil {
		select {
		case leads, ok := <-elected:
			if !ok {
				elected = nil
				continue
			}
			c.mu.Lock()
			if first && leads {
				t.Errorf("%s: the first that the channel said was true", c.node)
			} else if !first && leads == c.leads {
				t.Errorf("%s: the channel said %v twice", c.node, leads)
			}
			first = false
			c.leads = leads
			if leads {
				c.elected = time.Now()
			} else {
				c.demoted = time.Now()
			}
			c.mu.Unlock()
		case err, ok := <-errs:
			if !ok {
				errs = nil
				continue
			}
			c.mu.Lock()
			c.errs = append(c.errs, err)
			c.mu.Unlock()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leads {
		t.Errorf("%s: the last that the channel said was true", c.node)
	}
}

// told reports whether the channel's last word was true.
func (c *candidate) told() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leads
}

// electedAt returns when the channel last said true.
func (c *candidate) electedAt() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.elected
}

// demotedAt returns when the channel last said false.
func (c *candidate) demotedAt() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.demoted
}

// reported returns the first reported error that matches target, after the
// first n.
func (c *candidate) reported(n int, target error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, err := range c.errs[min(n, len(c.errs)):] {
		if errors.Is(err, target) {
			return err
		}
	}
	return nil
}

// complained reports whether an error was reported that names key.
func (c *candidate) complained(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, err := range c.errs {
		if strings.Contains(err.Error(), key) {
			return true
		}
	}
	return false
}

// problems returns how many errors were reported.
func (c *candidate) problems() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.errs)
}

func (c *candidate) isClosed() bool { return isClosed(c.closed) }

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

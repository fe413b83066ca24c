package electiontest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership"
)

// referee looks at all candidates of an election again and again.
type referee struct {
	quit chan struct{}
	done chan struct{}

	mu         sync.Mutex
	candidates []*leadership.Candidate
}

func newReferee(t *testing.T) *referee {
	r := &referee{quit: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(r.done)
		var rules rulebook
		ticker := time.NewTicker(time.Millisecond)
		defer ticker.Stop()
		for {
			if err := rules.check(r.look); err != nil {
				t.Errorf("referee: %v", err)
				return // one word is enough
			}
			select {
			case <-r.quit:
				return
			case <-ticker.C:
			}
		}
	}()
	return r
}

// watch adds a candidate to those looked at.
func (r *referee) watch(c *leadership.Candidate) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.candidates = append(r.candidates, c)
}

// look returns the token of the term that each candidate leads, or 0. It looks
// at them one after another.
func (r *referee) look() []uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	tokens := make([]uint64, len(r.candidates))
	for i, c := range r.candidates {
		if term, ok := c.Term(); ok {
			tokens[i] = term.Token
		}
	}
	return tokens
}

func (r *referee) stop() {
	close(r.quit)
	<-r.done
}

// rulebook is what holds in every election.
type rulebook struct {
	highest uint64 // token
	holder  int    // the candidate that has it
}

// check looks, and looks again if it finds more than one that leads. They need
// not have led at one instant, for they were looked at one after another. But
// one that leads in both looks, in one term, has led all the time between them;
// and two who have done that have led together.
func (b *rulebook) check(look func() []uint64) error {
	first := look()
	leaders, err := b.order(first)
	if leaders < 2 || err != nil {
		return err
	}
	second := look()
	if _, err := b.order(second); err != nil {
		return err
	}
	together := make(map[int]uint64)
	for i, token := range first {
		if token != 0 && second[i] == token {
			together[i] = token
		}
	}
	if len(together) > 1 {
		return fmt.Errorf("more than one leads at one instant (candidate: token): %v", together)
	}
	return nil
}

// order counts the leaders and checks that no token is lower than one that was
// seen before. Within one look, too: a term with a higher token had begun by
// the time it was seen, and so the lower one should have been over.
func (b *rulebook) order(tokens []uint64) (leaders int, err error) {
	for i, token := range tokens {
		switch {
		case token == 0:
			continue
		case token < b.highest:
			return 0, fmt.Errorf("candidate %d leads with token %d although candidate %d has had %d", i, token, b.holder, b.highest)
		case token == b.highest && i != b.holder:
			return 0, fmt.Errorf("candidates %d and %d were both given token %d", b.holder, i, token)
		}
		leaders++
		b.highest, b.holder = token, i
	}
	return leaders, nil
}

package httpapi

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/view"
	"github.com/seed-a1d591d3/leadership/store"
)

const (
	// AttemptHeader has the number of the attempt that was won.
	AttemptHeader = "X-Leadership-Attempt"

	// TrustHeader has the milliseconds, from when the request was sent, for which a
	// win with attempt_ttl may be trusted.
	TrustHeader = "X-Leadership-Trust"

	// defaultWait and maxWait are how long await and forget wait.
	defaultWait, maxWait = 30 * time.Second, 5 * time.Minute

	// maxListed is how many entries a list has, at most.
	maxListed = 1000
)

// round returns the round of a request, for the node that makes it.
func (h *Handler) round(c *call, of *leadership.Rounds) *leadership.Round {
	name, named := c.node()
	ttl := c.duration("attempt_ttl", leadership.MinTTL, leadership.MaxTTL, 0)
	number := c.number("attempt", 1, math.MaxInt64, 0)
	system, round := c.round()
	opts := []leadership.RoundOption{leadership.WithAttemptTTL(ttl), leadership.WithAttempt(number)}
	if !named {
		opts = append(opts, leadership.Anonymous())
	}
	return of.Round(system, round, name, opts...)
}

// elect answers as gone does: 202 to the winner, 204 to all others.
func (h *Handler) elect(c *call) error {
	round := h.round(c, h.electing)
	if c.err != nil {
		return c.err
	}
	ctx, cancel := h.storing(c)
	defer cancel()
	won, err := round.Elect(ctx)
	result := resultLost
	if won {
		result = resultWon
	}
	h.metrics.round(result, err)
	if err != nil {
		return err
	}
	system, _ := c.round()
	h.observer.Asked(system)
	if !slices.Contains(h.systems, system) {
		h.swept.Put(system, struct{}{})
	}
	if !won {
		return c.none()
	}
	if number, left := round.Attempt(); number > 0 {
		c.w.Header().Set(AttemptHeader, strconv.FormatUint(number, 10))
		if left < math.MaxInt64 {
			c.w.Header().Set(TrustHeader, strconv.FormatInt(left.Milliseconds(), 10))
		}
	}
	return c.text(http.StatusAccepted, "")
}

func (h *Handler) elected(c *call) error {
	s, err := h.state(c)
	return c.tell(s.Winner, s, err)
}

func (h *Handler) completed(c *call) error {
	s, err := h.state(c)
	return c.tell(s.Completer, s, err)
}

// complete answers as gone does: 200 if it is recorded that this node has completed the
// round, 400 if another has completed it, or has won it.
func (h *Handler) complete(c *call) error {
	round := h.round(c, h.electing)
	var result []byte
	if c.r.Method == http.MethodPost {
		result = c.body(leadership.MaxRoundResult)
	}
	if c.err != nil {
		return c.err
	}
	ctx, cancel := h.storing(c)
	defer cancel()
	err := round.CompleteWith(ctx, result)
	h.metrics.round(resultCompleted, err)
	if err != nil {
		return err
	}
	return c.text(http.StatusOK, "")
}

// await answers when the round has been completed, or when the time is over.
func (h *Handler) await(c *call) error {
	system, name := c.round()
	wait := c.duration("timeout", 0, maxWait, defaultWait)
	s, err := h.state(c) // with an error where the store is down
	if err != nil || s.Completer != "" || wait == 0 {
		return c.tell(s.Completer, s, err)
	}
	err = h.waiting(c, h.polls, wait, func(ctx context.Context) error {
		err := h.awaits.completed(ctx, system, name)
		switch {
		case err != nil && ctx.Err() == nil:
			return err
		case err != nil && h.ctx.Err() != nil:
			c.w.Header().Set("Retry-After", "1")
			return refuse(http.StatusServiceUnavailable, "the server is about to end: try again")
		}
		return nil
	})
	if err != nil {
		return err
	}
	// Also after the wait is over: the store may have been down in it.
	s, err = h.state(c)
	return c.tell(s.Completer, s, err)
}

// listRounds answers with the rounds of a system: all of them, or a page.
func (h *Handler) listRounds(c *call) error {
	system, ok := c.parameter("system")
	if !ok {
		c.fail(refuse(http.StatusBadRequest, "parameter system is missing"))
	}
	c.fail(checkName("system", system))
	limit := c.limit()
	from, paged := c.parameter("from")
	if c.err != nil {
		return c.err
	}
	if paged {
		return h.list(c, fmt.Sprintf("page %q %s", from, system), func(ctx context.Context) (any, error) {
			states, next, err := h.listed.Rounds(ctx, system, from)
			if errors.Is(err, store.ErrInvalidPage) {
				return nil, refuse(http.StatusBadRequest, "parameter from is %.40q: must be empty, or the next of a page", from)
			}
			return struct {
				Rounds []view.Round `json:"rounds"`
				Next   string       `json:"next,omitempty"`
			}{views(states), next}, err
		})
	}
	return h.list(c, fmt.Sprint("rounds ", limit, " ", system), func(ctx context.Context) (any, error) {
		states, err := h.listing.List(ctx, system)
		return struct {
			Rounds []view.Round `json:"rounds"`
			Total  int          `json:"total"`
		}{views(states[:min(len(states), limit)]), len(states)}, err
	})
}

// views returns rounds as JSON has them.
func views(states []leadership.RoundState) []view.Round {
	all := make([]view.Round, 0, len(states))
	for _, s := range states {
		all = append(all, view.OfRound(s))
	}
	return all
}

// list answers with a list, which is read and encoded once for all who ask for it by
// the same key at the same time.
func (h *Handler) list(c *call, key string, read func(context.Context) (any, error)) error {
	body, err := h.lists.do(c.r.Context(), key, func(ctx context.Context) ([]byte, error) {
		v, err := read(ctx)
		if err != nil {
			return nil, err
		}
		return encodeJSON(v)
	})
	if err == nil {
		write(c.w, http.StatusOK, "application/json", body)
	}
	return err
}

// state returns the state of the round of a request.
func (h *Handler) state(c *call) (leadership.RoundState, error) {
	round := h.round(c, h.reading)
	system, name := c.round()
	if c.err != nil {
		return leadership.RoundState{}, c.err
	}
	return h.states.do(c.r.Context(), system+"/"+name, round.State)
}

// tell answers with the name of a node, or with all of its round where JSON is asked
// for; and with 204 where there is no name yet.
func (c *call) tell(name string, s leadership.RoundState, err error) error {
	switch {
	case err != nil:
		return err
	case name == "":
		return c.none()
	case c.wantsJSON():
		return c.json(http.StatusOK, view.OfRound(s))
	}
	return c.text(http.StatusOK, name)
}

package httpapi

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/view"
	"github.com/seed-a1d591d3/leadership/store"
)

const (
	// AttemptHeader tells the number of the attempt that was won.
	AttemptHeader = "X-Leadership-Attempt"

	// TrustHeader tells for how many milliseconds, from when the request was
	// sent, a win with attempt_ttl may be trusted.
	TrustHeader = "X-Leadership-Trust"

	// defaultWait and maxWait are how long await waits.
	defaultWait, maxWait = 30 * time.Second, 5 * time.Minute

	// maxListed is how many rounds are listed, at most.
	maxListed = 1000
)

// rounds registers the routes of rounds.
func (h *Handler) rounds(mux *http.ServeMux) {
	const where = "/{system}/{round}"
	h.handle(mux, "GET /alive", anyone, asText, func(w http.ResponseWriter, _ *http.Request) error {
		text(w, http.StatusOK, "")
		return nil
	})
	h.handle(mux, "GET /api/v1/elect"+where, writer, asText, h.elect)
	h.handle(mux, "GET /api/v1/elected"+where, reader, asText, h.elected)
	h.handle(mux, "GET /api/v1/complete"+where, writer, asText, h.complete)
	h.handle(mux, "POST /api/v1/complete"+where, writer, asText, h.complete)
	h.handle(mux, "GET /api/v1/completed"+where, reader, asText, h.completed)
	h.handle(mux, "GET /api/v1/await"+where, reader, asText, h.await)
	h.handle(mux, "GET /api/v1/rounds", reader, asJSON, h.list)
	if h.retention > 0 {
		h.own(h.sweep)
	}
}

// round returns the round that a request is about, as seen by the node that makes
// it.
func round(r *http.Request, of *leadership.Rounds) (*leadership.Round, error) {
	values, err := query(r)
	if err != nil {
		return nil, err
	}
	name, named, err := node(r, values)
	if err != nil {
		return nil, err
	}
	ttl, err := duration(values, "attempt_ttl", leadership.MinTTL, leadership.MaxTTL, 0)
	if err != nil {
		return nil, err
	}
	number, err := number(values, "attempt", 1, math.MaxInt64, 0)
	if err != nil {
		return nil, err
	}
	system, round := r.PathValue("system"), r.PathValue("round")
	if err := errors.Join(checkName("system", system), checkName("round", round)); err != nil {
		return nil, err
	}
	opts := []leadership.RoundOption{leadership.WithAttemptTTL(ttl), leadership.WithAttempt(number)}
	if !named {
		opts = append(opts, leadership.Anonymous())
	}
	return of.Round(system, round, name, opts...), nil
}

// elect answers as gone does: 202 to the winner, 204 to all others.
func (h *Handler) elect(w http.ResponseWriter, r *http.Request) error {
	round, err := round(r, h.electing)
	if err != nil {
		return err
	}
	ctx, cancel := h.storing(r)
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
	h.swept.add(r.PathValue("system"))
	h.observer.rounds.asked.add(r.PathValue("system"))
	if !won {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if number, left := round.Attempt(); number > 0 {
		w.Header().Set(AttemptHeader, strconv.FormatUint(number, 10))
		if left < math.MaxInt64 {
			w.Header().Set(TrustHeader, strconv.FormatInt(left.Milliseconds(), 10))
		}
	}
	text(w, http.StatusAccepted, "")
	return nil
}

func (h *Handler) elected(w http.ResponseWriter, r *http.Request) error {
	s, err := h.state(r)
	if err != nil {
		return err
	}
	return tell(w, r, s.Winner, s)
}

func (h *Handler) completed(w http.ResponseWriter, r *http.Request) error {
	s, err := h.state(r)
	if err != nil {
		return err
	}
	return tell(w, r, s.Completer, s)
}

// complete answers as gone does: 200 if it is recorded that this node has
// completed the round, 400 if another has, or has to.
func (h *Handler) complete(w http.ResponseWriter, r *http.Request) error {
	round, err := round(r, h.electing)
	if err != nil {
		return err
	}
	var result []byte
	if r.Method == http.MethodPost {
		if result, err = readBody(w, r, leadership.MaxRoundResult); err != nil {
			return err
		}
	}
	ctx, cancel := h.storing(r)
	defer cancel()
	err = round.CompleteWith(ctx, result)
	h.metrics.round(resultCompleted, err)
	switch {
	case errors.Is(err, leadership.ErrCompletedByOther), errors.Is(err, leadership.ErrNotElected), errors.Is(err, leadership.ErrSuperseded):
		return problem{http.StatusBadRequest, reason(err)}
	case err != nil:
		return err
	}
	text(w, http.StatusOK, "")
	return nil
}

// await answers when the round has been completed, or not in time.
func (h *Handler) await(w http.ResponseWriter, r *http.Request) error {
	values, err := query(r)
	if err != nil {
		return err
	}
	wait, err := duration(values, "timeout", 0, maxWait, defaultWait)
	if err != nil {
		return err
	}
	s, err := h.state(r) // with an error where the store is down
	if err != nil {
		return err
	}
	if s.Completer == "" && wait > 0 {
		leave, err := place(w, h.polls)
		if err != nil {
			return err
		}
		defer leave()
		ctx, cancel := h.while(r)
		defer cancel()
		ctx, timeout := context.WithTimeoutCause(ctx, wait, errWaited)
		defer timeout()
		err = h.awaits.completed(ctx, r.PathValue("system"), r.PathValue("round"))
		switch {
		case err != nil && ctx.Err() == nil:
			return err
		case err != nil && h.ctx.Err() != nil:
			w.Header().Set("Retry-After", "1")
			return refuse(http.StatusServiceUnavailable, "the service ends: try again")
		}
		// Also after the wait is over: the store may have been down in it.
		if s, err = h.state(r); err != nil {
			return err
		}
	}
	return tell(w, r, s.Completer, s)
}

var errWaited = errors.New("the wait is over")

func (h *Handler) list(w http.ResponseWriter, r *http.Request) error {
	values, err := query(r)
	if err != nil {
		return err
	}
	system, ok, err := parameter(values, "system")
	if err != nil {
		return err
	}
	if !ok {
		return refuse(http.StatusBadRequest, "parameter system is missing")
	}
	if err := checkName("system", system); err != nil {
		return err
	}
	limit, err := number(values, "limit", 1, maxListed, maxListed)
	if err != nil {
		return err
	}
	from, paged, err := parameter(values, "from")
	if err != nil {
		return err
	}
	if paged {
		return h.listed(w, r, fmt.Sprintf("page %q %s", from, system), func(ctx context.Context) (any, error) {
			p := &page{Store: h.kv.lists, from: from, wanted: func(string) bool { return true }}
			states, err := h.roundsPage(ctx, p, system)
			if errors.Is(err, store.ErrInvalidPage) {
				return nil, refuse(http.StatusBadRequest, "parameter from is %.40q: must be empty, or the next of a page", from)
			}
			if err != nil {
				return nil, err // p may yet be written to
			}
			answer := struct {
				Rounds []view.Round `json:"rounds"`
				Next   string       `json:"next,omitempty"`
			}{make([]view.Round, 0, len(states)), p.next}
			for _, s := range states {
				answer.Rounds = append(answer.Rounds, view.OfRound(s))
			}
			return answer, nil
		})
	}
	return h.listed(w, r, fmt.Sprint("rounds ", limit, " ", system), func(ctx context.Context) (any, error) {
		states, err := h.listing.List(ctx, system)
		answer := struct {
			Rounds []view.Round `json:"rounds"`
			Total  int          `json:"total"`
		}{make([]view.Round, 0, min(len(states), int(limit))), len(states)}
		for _, s := range states[:min(len(states), int(limit))] {
			answer.Rounds = append(answer.Rounds, view.OfRound(s))
		}
		return answer, err
	})
}

// listed answers with a list, which is read and encoded for all who ask for it by
// the same key.
func (h *Handler) listed(w http.ResponseWriter, r *http.Request, key string, list func(context.Context) (any, error)) error {
	body, err := h.lists.do(r.Context(), key, func(ctx context.Context) ([]byte, error) {
		v, err := list(ctx)
		if err != nil {
			return nil, err
		}
		return encodeJSON(v)
	})
	if err == nil {
		write(w, http.StatusOK, "application/json", body)
	}
	return err
}

// state returns what is known of the round that a request is about.
func (h *Handler) state(r *http.Request) (leadership.RoundState, error) {
	round, err := round(r, h.reading)
	if err != nil {
		return leadership.RoundState{}, err
	}
	return h.states.do(r.Context(), r.PathValue("system")+"/"+r.PathValue("round"), round.State)
}

// tell answers with a name, or with all of the round where JSON is asked for; and
// with 204 where there is no name yet.
func tell(w http.ResponseWriter, r *http.Request, name string, s leadership.RoundState) error {
	switch {
	case name == "":
		w.WriteHeader(http.StatusNoContent)
	case wantsJSON(r):
		return answerJSON(w, http.StatusOK, view.OfRound(s))
	default:
		text(w, http.StatusOK, name)
	}
	return nil
}

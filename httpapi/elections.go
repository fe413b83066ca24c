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
	"github.com/seed-a1d591d3/leadership/internal/lru"
	"github.com/seed-a1d591d3/leadership/internal/observe"
	"github.com/seed-a1d591d3/leadership/internal/view"
	"github.com/seed-a1d591d3/leadership/store"
)

const (
	// maxTTL is the longest TTL that can be claimed with over HTTP.
	maxTTL = time.Hour

	// maxClaims is the number of elections of which a handler remembers what it has seen.
	maxClaims = 4096

	// maxChecks is how many health checks read the store at once, at most: some calls
	// are left for those who read by a token.
	maxChecks = readCalls / 2

	// defaultPatience, minPatience and maxPatience bound how long an operator's request
	// waits until it is obeyed.
	defaultPatience, minPatience, maxPatience = 5 * time.Second, time.Second, time.Minute
)

// seen is what was seen of the elections that were asked for last. What is dropped is
// seen anew: rivals wait for longer then, and a silent leader counts for longer as one
// that leads.
type seen struct {
	kv      store.Store
	claims  *lru.Map[string, *leadership.Claims]
	options []leadership.Option
}

func (o *options) newSeen(kv store.Store) *seen {
	return &seen{kv, lru.New[string, *leadership.Claims](maxClaims), o.claiming()}
}

// of returns the claims of one election.
func (s *seen) of(key string) *leadership.Claims {
	return s.claims.Get(key, func() *leadership.Claims { return leadership.NewClaims(s.kv, key, s.options...) })
}

// election returns the state of an election.
func (s *seen) election(ctx context.Context, key string) (view.Election, error) {
	st, err := s.of(key).Look(ctx)
	if err != nil {
		return view.Election{}, err
	}
	if st.Beat == 0 && st.Left == 0 { // there is none
		s.claims.Delete(key)
	}
	v := viewOf(st)
	v.Expired = v.Leader != "" && st.Left == 0
	return v, nil
}

// viewOf is an election as answers have it.
func viewOf(s leadership.Standing) view.Election {
	v := view.OfElection(s)
	v.Beat = s.Beat
	return v
}

// claim claims the seat or renews a term.
func (h *Handler) claim(c *call) error {
	var body claimBody
	key := c.key()
	c.decode(&body)
	c.fail(checkName("node", body.Node))
	if ttl := time.Duration(body.TTL); ttl < 0 || ttl > maxTTL {
		c.fail(refuse(http.StatusBadRequest, "ttl is %v: must be from %v to %v", ttl, leadership.MinTTL, maxTTL))
	}
	if c.err != nil {
		return c.err
	}
	by := leadership.Claim{Node: body.Node, Instance: body.Instance, Token: body.Token, Beat: uint64(body.Beat), TTL: time.Duration(body.TTL)}
	if body.Payload != "" {
		by.Payload = []byte(body.Payload)
	}
	ctx, cancel := h.storing(c)
	defer cancel()
	began := time.Now()
	got, err := h.claims.of(key).Claim(ctx, by)
	h.metrics.claimed(claimResult(by, got, err), began)
	lost := lostView{Instance: got.Instance, Beat: got.Beat, Wait: view.Ceil(got.Wait)}
	switch {
	case err == nil && got.Won && got.Trust >= time.Millisecond:
		return c.json(http.StatusOK, wonView{view.OfTerm(got.Term), got.Instance, got.Trust.Milliseconds(), got.Beat})
	case err == nil && got.Won:
		return fmt.Errorf("httpapi: claim: %w: the trust is over", context.DeadlineExceeded)
	case err == nil && got.Term.Leader == "":
		lost.Error = "the seat is not free yet"
	case err == nil:
		lost.Error = fmt.Sprintf("%q leads", got.Term.Leader)
	case errors.Is(err, leadership.ErrEvicted):
		lost.Error, lost.Asked = reason(err), leadership.Resign
	case errors.Is(err, leadership.ErrTransferred):
		lost.Error, lost.Asked = reason(err), leadership.Transfer
	case errors.Is(err, leadership.ErrPaused):
		lost.Error, lost.Asked = reason(err), leadership.Pause
	case errors.Is(err, leadership.ErrLost):
		lost.Error = reason(err)
	default:
		return err
	}
	if got.Term.Token != 0 {
		term := view.OfTerm(got.Term)
		lost.Term = &term
	}
	if got.Wait > 0 {
		c.w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(got.Wait.Seconds()))))
	}
	return c.json(http.StatusConflict, lost)
}

// resign gives up the seat of an instance.
func (h *Handler) resign(c *call) error {
	var body struct {
		Instance string `json:"instance"`
		Token    uint64 `json:"token"`
		Beat     beat   `json:"beat"`
	}
	key := c.key()
	c.decode(&body)
	if c.err != nil {
		return c.err
	}
	ctx, cancel := h.storing(c)
	defer cancel()
	switch err := h.claims.of(key).Resign(ctx, body.Instance, body.Token, uint64(body.Beat)); {
	case err == nil:
		return c.none()
	case errors.Is(err, leadership.ErrLost):
		return refuse(http.StatusConflict, "%s", reason(err))
	default:
		return err
	}
}

// look returns the state of an election.
func (h *Handler) look(c *call) error {
	key := c.key()
	if c.err != nil {
		return c.err
	}
	ctx, cancel := h.storing(c)
	defer cancel()
	v, err := h.looks.election(ctx, key)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, v)
}

// terms returns the terms of an election that this server remembers.
func (h *Handler) terms(c *call) error {
	key := c.key()
	if c.err != nil {
		return c.err
	}
	past, at, ok := h.observer.Terms(key)
	if !ok {
		return refuse(http.StatusNotFound, "this server does not observe such an election now")
	}
	return c.json(http.StatusOK, struct {
		At    time.Time      `json:"at"`
		Terms []observe.Past `json:"terms"`
	}{at, slices.Concat([]observe.Past{}, past)})
}

// listElections returns the states of all elections below a prefix.
func (h *Handler) listElections(c *call) error {
	prefix, limit := c.prefix(), c.limit()
	if c.err != nil {
		return c.err
	}
	return h.list(c, fmt.Sprint("elections ", limit, " ", prefix), func(ctx context.Context) (any, error) {
		all, err := h.listed.Elections(ctx, prefix)
		views := []view.Election{}
		for _, s := range all[:min(len(all), limit)] {
			v := viewOf(s)
			v.Expired = h.silent.expired(s)
			views = append(views, v)
		}
		return map[string]any{"elections": views, "more": len(all) > limit}, err
	})
}

// health answers 200 if the node that is asked for leads, and 503 otherwise, for
// load balancers.
func (h *Handler) health(c *call) error {
	key := c.key()
	name, named := c.node()
	if !named {
		name = h.node
	}
	if name == "" {
		c.fail(refuse(http.StatusBadRequest, "node is missing: name the node that is to lead"))
	}
	if c.err != nil {
		return c.err
	}
	v, err := h.checked(c, key)
	switch {
	case err != nil && c.r.Context().Err() != nil:
		return err
	case err != nil:
		h.log.Info("httpapi: health not known", "key", key, "error", err)
		return c.text(http.StatusServiceUnavailable, "it is not known who leads\n")
	case v.Leader == name && !v.Expired:
		return c.text(http.StatusOK, "leader\n")
	}
	return c.text(http.StatusServiceUnavailable, "not the leader\n")
}

// checked returns the state of an election for a health check.
func (h *Handler) checked(c *call, key string) (view.Election, error) {
	ctx, cancel := h.storing(c)
	defer cancel()
	select {
	case h.checks <- struct{}{}:
		defer func() { <-h.checks }()
	case <-ctx.Done():
		return view.Election{}, fmt.Errorf("httpapi: %w, %d health checks, are under way: %w", errBusy, cap(h.checks), context.Cause(ctx))
	}
	if h.looks.claims.Has(key) {
		return h.looks.election(ctx, key) // those have known for longer whether the leader is silent
	}
	return h.probes.election(ctx, key)
}

// request writes an operator's request, and waits until it is obeyed.
func (h *Handler) request(c *call) error {
	var body struct {
		Action leadership.Action `json:"action"`
		To     string            `json:"to"`
		Hold   span              `json:"hold"`
		Keep   bool              `json:"keep"`
		Create bool              `json:"create"`
		By     string            `json:"by"`
		Wait   *span             `json:"wait"`
	}
	key := c.key()
	c.decode(&body)
	if body.To != "" {
		c.fail(checkName("to", body.To))
	}
	if body.By != "" {
		c.fail(checkName("by", body.By))
	}
	wait := defaultPatience
	if body.Wait != nil {
		wait = time.Duration(*body.Wait)
	}
	if wait < minPatience || wait > maxPatience {
		c.fail(refuse(http.StatusBadRequest, "wait is %v: must be from %v to %v", wait, minPatience, maxPatience))
	}
	if c.err != nil {
		return c.err
	}
	asked := leadership.Request{Action: body.Action, To: body.To, Hold: time.Duration(body.Hold), Keep: body.Keep, Create: body.Create, By: body.By}
	switch err := h.waiting(c, h.requests, wait, func(ctx context.Context) error {
		return leadership.Ask(ctx, h.kv.requests, key, asked)
	}); {
	case err == nil:
		return c.json(http.StatusOK, map[string]bool{"obeyed": true})
	case errors.Is(err, leadership.ErrNotObeyed):
		return c.json(http.StatusAccepted, map[string]bool{"obeyed": false})
	default:
		return err
	}
}

// forget deletes the record of an election that is not used any more. It waits for
// a leader that may have crashed until its time is over, or the wait is.
func (h *Handler) forget(c *call) error {
	key, wait := c.key(), c.duration("wait", minPatience, maxWait, defaultWait)
	if c.err != nil {
		return c.err
	}
	if err := h.waiting(c, h.requests, wait, func(ctx context.Context) error {
		return leadership.Forget(ctx, h.kv.requests, key)
	}); err != nil {
		return err
	}
	return c.none()
}

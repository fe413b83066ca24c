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
)

const (
	// maxTTL is the longest TTL that can be claimed with over HTTP.
	maxTTL = time.Hour

	// maxChecks is how many health checks ask the store at once, at most: fewer
	// than leave no room for those who read by a token.
	maxChecks = readCalls / 2

	// An operator's request waits this long until it is written and obeyed.
	defaultPatience, minPatience, maxPatience = 5 * time.Second, time.Second, time.Minute
)

// elections registers the routes of elections. A key is one part of the path:
// its slashes are written as %2F.
func (h *Handler) elections(mux *http.ServeMux) {
	const one = "/api/v1/elections/{key}"
	d := &desk{h: h, claims: newLately(maxClaims), looks: newLately(maxClaims), probes: newLately(maxClaims), checks: make(chan struct{}, maxChecks)}
	h.handle(mux, "GET /api/v1/elections", reader, asJSON, d.list)
	h.handle(mux, "GET "+one, reader, asJSON, d.look)
	h.handle(mux, "DELETE "+one, writer, asJSON, d.forget)
	h.handle(mux, "GET "+one+"/leader", anyone, asText, d.health)
	h.handle(mux, "POST "+one+"/claim", writer, asJSON, d.claim)
	h.handle(mux, "POST "+one+"/resign", writer, asJSON, d.resign)
	h.handle(mux, "POST "+one+"/requests", writer, asJSON, d.request)
	h.events(mux, d)
}

// desk answers all that is asked of elections.
type desk struct {
	h *Handler

	// What those have seen that have to be forgotten is seen anew: rivals wait
	// for longer, and a silent leader counts for longer as one that leads. Whoever
	// may only look has nobody forgotten who claims, and a health check, which
	// needs no token, nobody who looks.
	claims, looks, probes *lately

	checks chan struct{} // a place for each health check that asks the store
}

// election returns the key of a request.
func election(r *http.Request) (string, error) {
	key := r.PathValue("key")
	return key, checkKey(key)
}

// of returns those of the claims that are of one election.
func (d *desk) of(claims *lately, key string) *leadership.Claims {
	kv := d.h.kv.reads
	if claims == d.claims {
		kv = d.h.kv.claims
	}
	return claims.get(key, func() *leadership.Claims {
		return leadership.NewClaims(kv, key, d.h.claiming()...)
	})
}

// claim claims the seat or renews a term.
func (d *desk) claim(w http.ResponseWriter, r *http.Request) error {
	key, err := election(r)
	if err != nil {
		return err
	}
	var body claimBody
	if err := readJSON(w, r, &body); err != nil {
		return err
	}
	if err := checkName("node", body.Node); err != nil {
		return err
	}
	if ttl := time.Duration(body.TTL); ttl < 0 || ttl > maxTTL {
		return refuse(http.StatusBadRequest, "ttl is %v: must be from %v to %v", ttl, leadership.MinTTL, maxTTL)
	}
	by := leadership.Claim{Node: body.Node, Instance: body.Instance, Token: body.Token, TTL: time.Duration(body.TTL)}
	if body.Payload != "" {
		by.Payload = []byte(body.Payload)
	}
	ctx, cancel := d.h.storing(r)
	defer cancel()
	began := time.Now()
	got, err := d.of(d.claims, key).Claim(ctx, by)
	d.h.metrics.claimed(claimResult(by, got, err), began)
	lost := lostView{Instance: got.Instance, Wait: view.Ceil(got.Wait)}
	switch {
	case err == nil && got.Won && got.Trust >= time.Millisecond:
		return answerJSON(w, http.StatusOK, wonView{view.OfTerm(got.Term), got.Instance, got.Trust.Milliseconds()})
	case err == nil && got.Won:
		return fmt.Errorf("httpapi: claim: %w: the trust is over", context.DeadlineExceeded)
	case err == nil:
		lost.Error = fmt.Sprintf("%q leads", got.Term.Leader)
		if got.Term.Leader == "" {
			lost.Error = "the seat is not free yet"
		}
	case errors.Is(err, leadership.ErrEvicted):
		lost.Asked = leadership.Resign
	case errors.Is(err, leadership.ErrTransferred):
		lost.Asked = leadership.Transfer
	case errors.Is(err, leadership.ErrPaused):
		lost.Asked = leadership.Pause
	case errors.Is(err, leadership.ErrLost):
	default:
		return unfit(err)
	}
	if err != nil {
		lost.Error = reason(err)
	}
	if got.Term.Token != 0 {
		term := view.OfTerm(got.Term)
		lost.Term = &term
	}
	if got.Wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(got.Wait.Seconds()))))
	}
	return answerJSON(w, http.StatusConflict, lost)
}

// unfit has a key that holds something else refused as what it is: no fault of
// the store.
func unfit(err error) error {
	if errors.Is(err, leadership.ErrForeignRecord) {
		return problem{http.StatusConflict, failure(err).reason}
	}
	return err
}

// resign gives up the seat of an instance.
func (d *desk) resign(w http.ResponseWriter, r *http.Request) error {
	key, err := election(r)
	if err != nil {
		return err
	}
	var body struct {
		Instance string `json:"instance"`
		Token    uint64 `json:"token"`
	}
	if err := readJSON(w, r, &body); err != nil {
		return err
	}
	ctx, cancel := d.h.storing(r)
	defer cancel()
	if err := d.of(d.claims, key).Resign(ctx, body.Instance, body.Token); err != nil {
		return unfit(err)
	}
	write(w, http.StatusNoContent, "", nil)
	return nil
}

// standing returns how an election stands.
func (d *desk) standing(ctx context.Context, key string) (view.Election, error) {
	return d.seen(ctx, d.looks, key)
}

// seen is standing by what one of the three has seen.
func (d *desk) seen(ctx context.Context, by *lately, key string) (view.Election, error) {
	ctx, cancel := context.WithTimeout(ctx, d.h.timeout)
	defer cancel()
	s, err := d.of(by, key).Look(ctx)
	if err != nil {
		return view.Election{}, unfit(err)
	}
	if s.Beat == 0 && s.Left == 0 { // there is none
		by.forget(key)
	}
	v := view.OfElection(s)
	v.Expired = v.Leader != "" && s.Left == 0
	return v, nil
}

// look tells how an election stands.
func (d *desk) look(w http.ResponseWriter, r *http.Request) error {
	key, err := election(r)
	if err != nil {
		return err
	}
	v, err := d.standing(r.Context(), key)
	if err != nil {
		return err
	}
	return answerJSON(w, http.StatusOK, v)
}

// list tells how all elections below a prefix stand.
func (d *desk) list(w http.ResponseWriter, r *http.Request) error {
	values, err := query(r)
	if err != nil {
		return err
	}
	prefix, err := keyPrefix(values)
	if err != nil {
		return err
	}
	limit, err := number(values, "limit", 1, maxListed, maxListed)
	if err != nil {
		return err
	}
	return d.h.listed(w, r, fmt.Sprint("elections ", limit, " ", prefix), func(ctx context.Context) (any, error) {
		all, err := d.h.electionsBelow(ctx, prefix)
		views := []view.Election{}
		for _, s := range all[:min(uint64(len(all)), limit)] {
			views = append(views, view.OfElection(s))
		}
		return map[string]any{"elections": views, "more": uint64(len(all)) > limit}, err
	})
}

// health answers 200 if the node that is asked for leads, and 503 otherwise, as
// load balancers want it.
func (d *desk) health(w http.ResponseWriter, r *http.Request) error {
	key, err := election(r)
	if err != nil {
		return err
	}
	values, err := query(r)
	if err != nil {
		return err
	}
	name, named, err := node(r, values)
	if !named {
		name = d.h.node
	}
	switch {
	case err != nil:
		return err
	case name == "":
		return refuse(http.StatusBadRequest, "node is missing: which one is to lead?")
	}
	v, err := d.checked(r, key)
	switch {
	case err != nil && r.Context().Err() != nil:
		return err
	case err != nil:
		d.h.log.Info("httpapi: health not known", "key", key, "error", err)
		text(w, http.StatusServiceUnavailable, "it is not known who leads\n")
	case v.Leader == name && !v.Expired:
		text(w, http.StatusOK, "leader\n")
	default:
		text(w, http.StatusServiceUnavailable, "not the leader\n")
	}
	return nil
}

// checked is standing for a health check.
func (d *desk) checked(r *http.Request, key string) (view.Election, error) {
	ctx, cancel := d.h.storing(r)
	defer cancel()
	select {
	case d.checks <- struct{}{}:
		defer func() { <-d.checks }()
	case <-ctx.Done():
		return view.Election{}, fmt.Errorf("httpapi: %w, %d health checks, are under way: %w", errBusy, cap(d.checks), context.Cause(ctx))
	}
	by := d.probes
	if d.looks.knows(key) {
		by = d.looks // that knows for longer whether the leader is silent
	}
	return d.seen(ctx, by, key)
}

// request has an operator's request written, and waits until it is obeyed.
func (d *desk) request(w http.ResponseWriter, r *http.Request) error {
	key, err := election(r)
	if err != nil {
		return err
	}
	var body struct {
		Action leadership.Action `json:"action"`
		To     string            `json:"to"`
		Hold   span              `json:"hold"`
		Keep   bool              `json:"keep"`
		Create bool              `json:"create"`
		By     string            `json:"by"`
		Wait   *span             `json:"wait"`
	}
	if err := readJSON(w, r, &body); err != nil {
		return err
	}
	for what, name := range map[string]string{"to": body.To, "by": body.By} {
		if name == "" {
			continue
		}
		if err := checkName(what, name); err != nil {
			return err
		}
	}
	wait := defaultPatience
	if body.Wait != nil {
		wait = time.Duration(*body.Wait)
	}
	if wait < minPatience || wait > maxPatience {
		return refuse(http.StatusBadRequest, "wait is %v: must be from %v to %v", wait, minPatience, maxPatience)
	}
	leave, err := place(w, d.h.requests)
	if err != nil {
		return err
	}
	defer leave()
	ctx, cancel := d.h.while(r)
	defer cancel()
	ctx, expire := context.WithTimeout(ctx, wait)
	defer expire()
	asked := leadership.Request{Action: body.Action, To: body.To, Hold: time.Duration(body.Hold), Keep: body.Keep, Create: body.Create, By: body.By}
	switch err := leadership.Ask(ctx, d.h.kv.requests, key, asked); {
	case err == nil:
		return answerJSON(w, http.StatusOK, map[string]bool{"obeyed": true})
	case errors.Is(err, leadership.ErrNotObeyed):
		return answerJSON(w, http.StatusAccepted, map[string]bool{"obeyed": false})
	case errors.Is(err, leadership.ErrNoLeader), errors.Is(err, leadership.ErrPaused),
		errors.Is(err, leadership.ErrNotTransferred), errors.Is(err, leadership.ErrReplaced):
		return problem{http.StatusConflict, reason(err)}
	case errors.Is(err, leadership.ErrNoElection):
		return problem{http.StatusNotFound, reason(err)}
	default:
		return unfit(err)
	}
}

package service

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/history"
)

// claimed is the answer to a claim.
type claimed struct {
	Token uint64 `json:"token"`
	Trust int64  `json:"trust_ms"`
	Beat  string `json:"beat"`
	Wait  int64  `json:"retry_after_ms"`
}

// claim stands in the election, as docs/http.md has it, until ctx ends.
func (c *client) claim(ctx context.Context) {
	w := &way{client: c, at: c.number}
	for instance := rand.Text(); ctx.Err() == nil; {
		start := history.Now()
		status, _, text, ok := w.ask(ctx, c.TTL, http.MethodPost, c.election("/claim"),
			map[string]any{"node": c.name, "ttl": c.TTL.String(), "instance": instance})
		var a claimed
		switch {
		case !ok || json.Unmarshal(text, &a) != nil:
			w.pause(ctx)
		case status == http.StatusOK:
			c.lead(ctx, w, instance, a, start)
			instance = rand.Text()
		default:
			rest(ctx, min(time.Duration(a.Wait)*time.Millisecond, c.TTL/4)+c.random(c.TTL/8)+1)
		}
	}
}

// renewal is the answer to a request to renew.
type renewal struct {
	status int
	start  history.Stamp
	claimed
	ok bool
}

// lead leads by a claim that was won by a request that was sent at start: it looks at the
// clock before each step, and renews beside that. It resigns after a while, or falls silent.
func (c *client) lead(ctx context.Context, w *way, instance string, a claimed, start history.Stamp) {
	until := start.Add(time.Duration(a.Trust) * time.Millisecond)
	again, over := start.Add(c.TTL/3), history.Now().Add(c.TTL+c.random(6*c.TTL))
	silent := c.random(100) < 20
	beat, loose := a.Beat, false // loose: a request without a beat is unanswered
	answers := make(chan renewal, 1)
	asking := false
	ticks := time.NewTicker(c.TTL / 60)
	defer ticks.Stop()
	for {
		now := history.Now()
		if now >= until {
			break
		}
		c.log.Lines = append(c.log.Lines, history.Line{Kind: history.Ask, Before: now, After: now, What: history.Term, Answer: history.Yes, Token: a.Token})
		if now >= over || ctx.Err() != nil {
			break
		}
		if !asking && now >= again {
			asking = true
			body := map[string]any{"node": c.name, "instance": instance, "token": a.Token}
			if beat != "" && !loose {
				body["beat"] = beat
			}
			c.running.Go(func() {
				r := renewal{start: history.Now()}
				var text []byte
				r.status, _, text, r.ok = w.ask(ctx, max(until.Sub(r.start)/2, c.TTL/10), http.MethodPost, c.election("/claim"), body)
				r.ok = r.ok && json.Unmarshal(text, &r.claimed) == nil
				if !r.ok {
					loose = loose || body["beat"] == nil // nobody looks until this is received
				}
				answers <- r
			})
		}
		select {
		case <-ticks.C:
		case r := <-answers:
			asking, beat = false, r.Beat
			switch {
			case !r.ok:
				beat, again = "", history.Now().Add(c.TTL/30)
			case r.status == http.StatusOK && history.Now() < until:
				until = max(until, r.start.Add(time.Duration(r.Trust)*time.Millisecond))
				again = r.start.Add(c.TTL / 3)
			default: // the term is over, or the answer comes too late
				c.resign(ctx, w, instance, a.Token)
				return
			}
		}
	}
	if asking {
		<-answers
	}
	if silent {
		rest(ctx, c.TTL)
		return
	}
	c.resign(ctx, w, instance, a.Token)
}

// resign gives up a term: the work has ended.
func (c *client) resign(ctx context.Context, w *way, instance string, token uint64) {
	for range 5 {
		if _, _, _, ok := w.ask(ctx, c.TTL/2, http.MethodPost, c.election("/resign"), map[string]any{"instance": instance, "token": token}); ok || !w.pause(ctx) {
			return
		}
	}
}

package service

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/history"
)

// system is that of all rounds.
const system = "svc"

// elect asks for rounds, each of which some others ask for as well, at about the same time,
// and completes those that it wins. Every other round has attempts with a TTL.
func (c *client) elect(ctx context.Context) {
	w := &way{client: c, at: c.number * 7}
	every, pause := c.Clients/askers, c.TTL/paced
	for n := (every - c.number%every) % every; ; n += every {
		due := c.began.Add(time.Duration(n) * pause)
		if wait := due.Sub(history.Now()); wait < -time.Minute {
			continue
		} else if !rest(ctx, max(wait, 0)+c.random(pause)) {
			return
		}
		name, ttl := "r-"+strconv.Itoa(n), ""
		if n%2 == 1 {
			name, ttl = "t-"+strconv.Itoa(n), "&attempt_ttl="+c.TTL.String()
		}
		c.round(ctx, w, name, ttl)
	}
}

// round asks for a round until that is answered, and completes it.
func (c *client) round(ctx context.Context, w *way, name, ttl string) {
	query := "/" + system + "/" + name + "?node=" + c.name
	for {
		before := history.Now()
		status, head, _, ok := w.ask(ctx, 2*c.TTL, http.MethodGet, "/api/v1/elect"+query+ttl, nil)
		line := history.Line{Kind: history.Round, Before: before, After: history.Now(), What: name + "#" + head.Get("X-Leadership-Attempt")}
		switch {
		case !ok:
			if !w.pause(ctx) {
				return
			}
			continue
		case status == http.StatusNoContent:
			line.Answer = history.Lost
			c.rounds.Lines = append(c.rounds.Lines, line)
			c.ledger.lost(name, c.name)
			return
		case status != http.StatusAccepted:
			c.ledger.odd(name, fmt.Sprintf("%s was answered by %d to its request for a round", c.name, status))
			return
		}
		line.Answer = history.Won
		c.rounds.Lines = append(c.rounds.Lines, line)
		if ttl != "" {
			query += "&attempt=" + head.Get("X-Leadership-Attempt")
		} else {
			c.ledger.won(name, c.name)
		}
		break
	}
	if !rest(ctx, c.random(c.TTL/4)) {
		return
	}
	for {
		status, _, text, ok := w.ask(ctx, 2*c.TTL, http.MethodPost, "/api/v1/complete"+query, nil)
		switch {
		case ok && status == http.StatusOK:
			c.ledger.complete(name, c.name)
			return
		case ok && ttl == "":
			c.ledger.odd(name, fmt.Sprintf("%s has won it, and cannot complete it: %d %s", c.name, status, text))
			return
		case ok: // another attempt has begun
			return
		}
		if !w.pause(ctx) {
			return
		}
	}
}

// state is what a round is in the end.
type state struct {
	Winner    string `json:"winner"`
	Completer string `json:"completer"`
}

// states reads the rounds that somebody had an answer about.
func (r *run) states(ctx context.Context) (map[string]state, error) {
	states := make(map[string]state)
	w := &way{client: r.clients[0]}
	for _, name := range r.ledger.names() {
		for try := 0; ; try++ {
			status, _, text, ok := w.ask(ctx, 5*time.Second, http.MethodGet, "/api/v1/elected/"+system+"/"+name, nil)
			if ok && (status == http.StatusOK || status == http.StatusNoContent) {
				var s state
				if err := json.Unmarshal(text, &s); status == http.StatusOK && err != nil {
					return nil, fmt.Errorf("service: round %s is %s: %w", name, text, err)
				}
				states[name] = s
				break
			}
			if try > 50 || !rest(ctx, 100*time.Millisecond) {
				return nil, fmt.Errorf("service: round %s cannot be read: %d %s", name, status, text)
			}
		}
	}
	return states, nil
}

// answered is what was answered about a round.
type answered struct {
	winners, losers, completers, odd []string
}

// ledger has all answers about rounds. It is safe for concurrent use; the zero value is
// empty.
type ledger struct {
	mu  sync.Mutex
	all map[string]*answered
}

func (l *ledger) note(round string, f func(a *answered)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = make(map[string]*answered)
	}
	if l.all[round] == nil {
		l.all[round] = new(answered)
	}
	f(l.all[round])
}

func (l *ledger) won(round, node string) {
	l.note(round, func(a *answered) { a.winners = append(a.winners, node) })
}

func (l *ledger) lost(round, node string) {
	l.note(round, func(a *answered) { a.losers = append(a.losers, node) })
}

func (l *ledger) complete(round, node string) {
	l.note(round, func(a *answered) { a.completers = append(a.completers, node) })
}

func (l *ledger) odd(round, text string) {
	l.note(round, func(a *answered) { a.odd = append(a.odd, text) })
}

func (l *ledger) names() (names []string) {
	for name := range l.all {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (l *ledger) completed() (n int) {
	for _, a := range l.all {
		if len(a.completers) > 0 {
			n++
		}
	}
	return n
}

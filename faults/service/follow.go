package service

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/history"
)

// event is one of a stream.
type event struct {
	Type   string `json:"type"`
	Leader string `json:"leader"`
	Token  uint64 `json:"token"`
}

// follow follows the events of the election until ctx ends: where a stream ends it goes on
// at the next server.
func (c *client) follow(ctx context.Context) {
	w := &way{client: c, at: c.number / c.Elections}
	last := ""
	for ctx.Err() == nil {
		c.stream(ctx, w, &last)
		w.next()
		w.fails++
		w.pause(ctx)
	}
}

// stream follows one stream, until it ends.
func (c *client) stream(ctx context.Context, w *way, last *string) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url(c.election("/events")), nil)
	if err != nil {
		panic(err) // of a path of ours
	}
	if *last != "" {
		r.Header.Set("Last-Event-ID", *last)
	}
	late := time.AfterFunc(time.Second, cancel)
	w.requests.Add(1)
	response, err := w.http.Do(r)
	if !late.Stop() || err != nil {
		w.unanswered.Add(1)
		if err == nil {
			response.Body.Close()
		}
		return
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		w.unanswered.Add(1)
		return
	}
	w.fails = 0
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if id, ok := bytes.CutPrefix(lines.Bytes(), []byte("id: ")); ok {
			*last = string(id)
		}
		data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		var e event
		if !ok || json.Unmarshal(data, &e) != nil {
			continue
		}
		w.events.Add(1)
		now := history.Now()
		line := history.Line{Kind: history.Follow, Before: now, After: now}
		if e.Type == "leader" {
			line.What, line.Token = e.Leader, e.Token
		}
		c.log.Lines = append(c.log.Lines, line)
	}
}

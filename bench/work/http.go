package work

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/bsm/redislock"
	"github.com/redis/go-redis/v9"
)

// What the clients of a service do.
const (
	Elect = "elect" // win new rounds
	Renew = "renew" // renew a seat each
)

// serve is the peer of `leadership serve`, of the least that such a service does: rounds as the
// older service gone has them, by SET NX, and renewals by redislock.
func serve(ctx context.Context, t *Task, tell func(Report)) error {
	client := redis.NewClient(&redis.Options{Addr: t.Addr, ContextTimeoutEnabled: true, PoolSize: 100})
	defer client.Close()
	locks := redislock.New(client)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/elect/{system}/{round}", func(w http.ResponseWriter, r *http.Request) {
		won, err := client.SetNX(r.Context(), r.PathValue("system")+":"+r.PathValue("round"), r.RemoteAddr, 0).Result()
		switch {
		case err != nil:
			w.WriteHeader(http.StatusInternalServerError)
		case won:
			w.WriteHeader(http.StatusAccepted)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	})
	mux.HandleFunc("POST /api/v1/elections/{key}/claim", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		// A lock that has the token of the one that is held is a renewal of it.
		_, err := locks.Obtain(r.Context(), "seat:"+r.PathValue("key"), time.Hour, &redislock.Options{Token: "of-the-holder"})
		if err != nil {
			w.WriteHeader(http.StatusConflict)
		}
	})
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	tell(Report{Addr: listener.Addr().String()})
	_ = server.Serve(listener)
	return nil
}

// load has clients ask a service, each on a connection of its own, and tells of the answers per
// second and the milliseconds of each. What they ask is in Side.
func load(ctx context.Context, t *Task, tell func(Report)) error {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: t.Clients}, Timeout: time.Minute}
	defer client.CloseIdleConnections()
	ask := func(ctx context.Context, method, path, body string, want int) error {
		req, err := http.NewRequestWithContext(ctx, method, "http://"+t.Addr+path, strings.NewReader(body))
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err == nil && resp.StatusCode != want {
			err = fmt.Errorf("%s: %s: %.200s", path, resp.Status, text)
		}
		return err
	}
	do := func(ctx context.Context, _, i int) error {
		return ask(ctx, http.MethodGet, "/api/v1/elect/bench/"+t.Key+"-"+strconv.Itoa(i), "", http.StatusAccepted)
	}
	if t.Side == Renew {
		do = func(ctx context.Context, client, _ int) error {
			return ask(ctx, http.MethodPost, "/api/v1/elections/"+t.Key+"-"+strconv.Itoa(client)+"/claim",
				`{"node":"a","ttl":"1h","instance":"instance-of-holder-`+strconv.Itoa(client)+`"}`, http.StatusOK)
		}
	}
	_, perSecond, ms, err := t.rush(ctx, do)
	tell(Report{Samples: map[string][]float64{"rate": {perSecond}, "ms": ms}})
	return err
}

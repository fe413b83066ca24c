package leadproxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/leadproxy"
)

func TestTooLargeABodyIsTheClientsFault(t *testing.T) {
	leader := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	p := leadproxy.New(ledBy(leader.URL))
	t.Cleanup(p.CloseIdleConnections)
	server := serve(t, http.MaxBytesHandler(p, 10))
	response, _ := ask(t, server, http.MethodPost, "/", "more than ten bytes")
	want(t, response, http.StatusRequestEntityTooLarge, "")
}

func TestAnswersAreStreamed(t *testing.T) {
	next := make(chan struct{})
	leader := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for i := range 3 {
			fmt.Fprintln(w, "line", i)
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			<-next // until the client has it
		}
	}))
	server := proxy(t, ledBy(leader.URL))
	response, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for i := range 3 {
		if !lines.Scan() || lines.Text() != fmt.Sprint("line ", i) {
			t.Errorf("got %q, %v", lines.Text(), lines.Err())
		}
		next <- struct{}{}
	}
}

func TestClientThatLeavesEndsTheLeadersRequest(t *testing.T) {
	began, ended := make(chan struct{}), make(chan struct{})
	leader := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
		close(ended)
	}))
	server := proxy(t, ledBy(leader.URL))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() { <-began; cancel() }()
	if response, err := server.Client().Do(r); err == nil {
		response.Body.Close()
		t.Error("it has been answered")
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the leader works on")
	}
}

func TestWebSocketsPass(t *testing.T) {
	leader := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" {
			t.Errorf("the upgrade is gone: %v", r.Header)
		}
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_, _ = io.Copy(conn, buffered) // what comes is sent back
	}))
	// The time for the beginning of an answer does not bound what follows.
	server := proxy(t, ledBy(leader.URL), leadproxy.WithTimeout(10*time.Second))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	socket, ok := response.Body.(io.ReadWriter)
	if !ok || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("got %s", response.Status)
	}
	answers := bufio.NewReader(socket)
	for i := range 3 {
		line := fmt.Sprintln("message", i)
		if _, err := io.WriteString(socket, line); err != nil {
			t.Fatal(err)
		}
		if got, err := answers.ReadString('\n'); got != line || err != nil {
			t.Errorf("got %q, %v; want %q", got, err, line)
		}
	}
}

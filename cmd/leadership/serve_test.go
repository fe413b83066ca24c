//go:build linux

package main

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/servers"
)

// served is a server in a process of its own, and a client.
type served struct {
	*process
	url    string
	client *http.Client
}

// serving starts leadership serve, and waits until it serves.
func serving(t *testing.T, environ []string, args ...string) *served {
	t.Helper()
	s := &served{process: startWith(t, environ, append([]string{"serve", "--json", "--local", "--listen", "127.0.0.1:0"}, args...)...)}
	var where struct{ URL string }
	eventually(t, "address", func() bool {
		line, _, ok := strings.Cut(s.out.String(), "\n")
		return ok && json.Unmarshal([]byte(line), &where) == nil
	})
	s.url = where.URL
	s.client = clientWith(t, nil)
	return s
}

func clientWith(t *testing.T, config *tls.Config) *http.Client {
	transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

// ask makes a request and returns the status and the body.
func (s *served) ask(method, path, body string, headers ...string) (int, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := s.client.Do(r)
	if err != nil {
		s.t.Error(err)
		return 0, ""
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Error(err)
	}
	return response.StatusCode, string(answer)
}

// want makes a request and checks the answer: after a * it is what that has to
// contain.
func (s *served) want(method, path string, status int, answer string, headers ...string) {
	s.t.Helper()
	part, some := strings.CutPrefix(answer, "*")
	if got, body := s.ask(method, path, "", headers...); got != status || some && !strings.Contains(body, part) || !some && body != answer {
		s.t.Errorf("%s %s: %d %q, want %d %q", method, path, got, body, status, answer)
	}
}

// Each line of the README of gone, with three servers behind one store.
func TestServersAnswerAsGoneDoes(t *testing.T) {
	for name, url := range map[string]func(*testing.T) string{
		"sqlite": sqliteURL,
		"redis":  func(t *testing.T) string { return "redis://" + servers.Shared(t, "redis").Addr },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := url(t)
			var behind [3]*served
			for i := range behind {
				behind[i] = serving(t, []string{"LEADERSHIP_STORE=" + store})
			}
			a, b, c := behind[0], behind[1], behind[2]
			round := fmt.Sprintf("/cleaning_scheduler/%d", time.Now().UnixNano())

			a.want("GET", "/alive", 200, "")
			a.want("GET", "/", 200, "*<html")
			a.want("GET", "/api/v1/elections", 200, "*elections")
			b.want("GET", "/api/v1/elected"+round, 204, "")
			c.want("GET", "/api/v1/completed"+round, 204, "")
			b.want("POST", "/api/v1/complete"+round, 400, "*nobody is")

			winner := crowd(t, behind[:], round)
			for _, s := range behind {
				s.want("GET", "/api/v1/elected"+round, 200, winner)
				s.want("GET", "/api/v1/elect"+round, 204, "")
				s.want("GET", "/api/v1/elect"+round+"?node=somebody", 204, "")
				s.want("GET", "/api/v1/completed"+round, 204, "")
			}
			// Any client without a name may complete it; gone accepts GET and POST for that.
			a.want("POST", "/api/v1/complete"+round, 200, "")
			_, completer := b.ask("GET", "/api/v1/completed"+round, "")
			if host, _, err := net.SplitHostPort(completer); err != nil || host != "127.0.0.1" {
				t.Errorf("completed by %q", completer)
			}
			c.want("GET", "/api/v1/complete"+round, 400, "*another node")

			// A winner with a name gets 202 again.
			named := round + "-named"
			a.want("GET", "/api/v1/elect"+named+"?node=n", 202, "")
			b.want("GET", "/api/v1/elect"+named, 202, "", "X-Leadership-Node", "n")
			c.want("GET", "/api/v1/elect"+named+"?node=m", 204, "")
			c.want("GET", "/api/v1/complete"+named+"?node=m", 400, `*"n" is`)
			a.want("GET", "/api/v1/complete"+named+"?node=n", 200, "")
			b.want("POST", "/api/v1/complete"+named+"?node=n", 200, "")
			c.want("GET", "/api/v1/completed"+named, 200, "n")

			for _, s := range behind {
				s.signal(syscall.SIGTERM)
				if code := s.wait(); code != 0 {
					t.Errorf("exit code %d", code)
				}
				if errs := s.errs.String(); errs != "" {
					t.Errorf("it is not quiet: %s", errs)
				}
			}
		})
	}
}

// crowd has 200 clients ask for one round, and returns the winner.
func crowd(t *testing.T, behind []*served, round string) string {
	t.Helper()
	const clients = 200
	var won, lost atomic.Int32
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			switch status, body := behind[i%len(behind)].ask("GET", "/api/v1/elect"+round, ""); status {
			case http.StatusAccepted:
				won.Add(1)
			case http.StatusNoContent:
				lost.Add(1)
			default:
				t.Errorf("client %d: %d %q", i, status, body)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 || lost.Load() != clients-1 {
		t.Fatalf("%d have won and %d lost", won.Load(), lost.Load())
	}
	status, winner := behind[0].ask("GET", "/api/v1/elected"+round, "")
	if host, _, err := net.SplitHostPort(winner); status != http.StatusOK || err != nil || host != "127.0.0.1" {
		t.Errorf("elected: %d %q", status, winner)
	}
	return winner
}

func TestServerWhoseStoreIsGoneSaysSoInsteadOfLost(t *testing.T) {
	t.Parallel()
	proxy := servers.NewProxy(t, servers.Shared(t, "redis").Addr)
	s := serving(t, nil, "--store", "redis://"+proxy.Addr, "--timeout", "300ms")
	round := fmt.Sprintf("/down/%d", time.Now().UnixNano())
	proxy.Stop()
	for _, verb := range []string{"elect", "elected", "complete", "completed"} {
		if status, body := s.ask("GET", "/api/v1/"+verb+round, ""); status != 500 || body == "" {
			t.Errorf("%s: %d %q", verb, status, body)
		}
	}
	s.want("GET", "/alive", 200, "")
	proxy.Start()
	eventually(t, "winner once the store is back", func() bool {
		status, _ := s.ask("GET", "/api/v1/elect"+round+"?node=a", "")
		return status == 202
	})
}

func TestServerEndsThoughClientsWaitForLong(t *testing.T) {
	t.Parallel()
	s := serving(t, nil, "--store", sqliteURL(t))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/v1/elections/k/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	lines := bufio.NewReader(stream.Body)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	ended := make(chan int, 1)
	fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	poll, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/v1/await/sys/r?timeout=5m", nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(ended)
		resp, err := fresh.Do(poll)
		if err != nil {
			t.Errorf("the poll was not answered: %v", err)
			return
		}
		defer resp.Body.Close()
		ended <- resp.StatusCode
	}()
	eventually(t, "poll under way", func() bool {
		_, metrics := s.ask("GET", "/metrics", "")
		return strings.Contains(metrics, `leadership_http_requests_in_flight{route="GET /api/v1/await/{system}/{round}"} 1`)
	})
	began := time.Now()
	s.signal(syscall.SIGTERM)
	if code := s.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("it took %v", took)
	}
	if status := <-ended; status != http.StatusServiceUnavailable {
		t.Errorf("the poll was answered with %d", status)
	}
	if _, err := io.Copy(io.Discard, lines); err != nil {
		t.Errorf("the stream was cut off: %v", err)
	}
}

func TestSecondSignalEndsAServerAtOnce(t *testing.T) {
	t.Parallel()
	s := serving(t, nil, "--store", sqliteURL(t), "--drain", "10m")
	// A request that does not end: its body does not come.
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST /api/v1/complete/sys/r HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
		t.Fatalf("the request is not under way: %q, %v", line, err)
	}
	s.signal(syscall.SIGTERM)
	eventually(t, "end of listening", func() bool {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	s.signal(syscall.SIGINT)
	s.wait()
	if status := s.cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGINT {
		t.Errorf("ended by %v", s.cmd.ProcessState)
	}
}

func TestAliveTellsWhetherAServerAnswers(t *testing.T) {
	t.Parallel()
	s := serving(t, nil, "--store", sqliteURL(t))
	for address, want := range map[string]int{
		s.url:             0,
		s.url + "/":       0,
		s.url + "/alive":  0,
		s.url + "/other":  exitNo,
		"127.0.0.1:8080":  exitUsage,
		"ftp://127.0.0.1": exitUsage,
		s.url + "/api/v1/elections/k/leader?node=a": exitNo,
	} {
		if code, out, errs := inProcess(t, "alive", address); code != want || out != "" {
			t.Errorf("%s: exit code %d: %s%s", address, code, out, errs)
		}
	}
	s.signal(syscall.SIGTERM)
	s.wait()
	if code, _, _ := inProcess(t, "alive", s.url); code != exitNo {
		t.Errorf("after its end: exit code %d", code)
	}
}

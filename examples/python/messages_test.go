package python

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// said is what a client has printed to stderr so far.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// await waits until it has printed a text.
func (s *said) await(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(patience); !strings.Contains(s.String(), text); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it does not print %q, but:\n%s", text, s)
		}
	}
}

// begin starts leader.py with more arguments, until the end of the test.
func begin(t *testing.T, args ...string) (*exec.Cmd, *said) {
	t.Helper()
	cmd, errs := exec.CommandContext(t.Context(), "python3", append([]string{"leader.py", "--key", "service/leader", "--node", "a"}, args...)...), &said{}
	cmd.Stderr, cmd.WaitDelay = errs, time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it may have been waited for
	})
	return cmd, errs
}

func exitCode(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

func TestClientTellsThatNoServerAnswersAndThatOneDoesAgain(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	cmd, errs := begin(t, "--url", "http://"+address, "--url", "http://"+address, "--ttl", "0.3", "--", "sleep", "60")
	errs.await(t, "no server answers, for 0 s: http://"+address+": [Errno 111] Connection refused")
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"leader":"a","token":7,"trust_ms":240}`))
	}))
	_ = server.Listener.Close()
	if server.Listener, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	server.Start()
	defer server.Close()
	errs.await(t, "a server answers again, after ")
	errs.await(t, "leading: node=a token=7")
	if n := strings.Count(errs.String(), "no server answers"); n != 1 {
		t.Errorf("it tells of the outage %d times:\n%s", n, errs)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("got %v", err)
	}
	for _, want := range []string{"ending: SIGTERM", "no longer leading: node=a token=7: stopped"} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("no %q in\n%s", want, errs)
		}
	}
}

func TestClientEndsWithAReason(t *testing.T) {
	t.Parallel()
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, `{"error":"a valid bearer token is needed"}`, http.StatusUnauthorized)
	}))
	defer refusing.Close()
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	leading := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(`{"leader":"a","token":7,"trust_ms":12000}`))
	}))
	defer leading.Close()
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{2, "'127.0.0.1:8080' is not the URL of a server, such as http://127.0.0.1:8080", []string{"--url", "127.0.0.1:8080", "--", "true"}},
		{2, "'ftp://h' is not the URL of a server", []string{"--url", "ftp://h", "--", "true"}},
		{2, "is not the URL of a server", []string{"--url", "http://h/?x=1", "--", "true"}},
		{2, "takes a token", []string{"--url", "http://user:secret@h", "--", "true"}},
		{2, "Port", []string{"--url", "http://h:x", "--", "true"}},
		{2, "the TTL is -1 s: must be above 0", []string{"--url", "http://h", "--ttl", "-1", "--", "true"}},
		{3, refusing.URL + " refuses the claim: 401: a valid bearer token is needed", []string{"--url", refusing.URL, "--", "true"}},
		{3, "refuses the claim: 404: is that a leadership serve?", []string{"--url", other.URL, "--", "true"}},
		{7, "no longer leading: node=a token=7: the work has ended", []string{"--url", leading.URL, "--", "sh", "-c", "exit 7"}},
		{127, "the command cannot be run: ", []string{"--url", leading.URL, "--", "nosuchcommand"}},
	} {
		cmd, errs := begin(t, c.args...)
		if code := exitCode(cmd.Wait()); code != c.code || !strings.Contains(errs.String(), c.want) || strings.Contains(errs.String(), "Traceback") || strings.Contains(errs.String(), "secret") {
			t.Errorf("%v: exit code %d, want %d, %q:\n%s", c.args, code, c.code, c.want, errs)
		}
	}
}

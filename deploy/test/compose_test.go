package deploy

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// compose reads compose.yaml as docker compose does, where the environment has
// those variables.
func compose(t *testing.T, environ ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{"../compose.yaml"}, cli.WithEnv(environ), cli.WithResolvedPaths(true))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// environ returns the environment of a service.
func environ(s types.ServiceConfig) []string {
	var all []string
	for name, value := range s.Environment {
		if value != nil {
			all = append(all, name+"="+*value)
		}
	}
	return all
}

func TestComposeFileIsSound(t *testing.T) {
	project := compose(t)
	all := images(t)
	ports := make(map[string]string)
	for name, s := range project.Services {
		for _, p := range s.Ports {
			if p.HostIP != "127.0.0.1" || p.Target != 8080 {
				t.Errorf("%s: port %+v is open to other machines, or not that of the server", name, p)
			}
			if other, taken := ports[p.Published]; taken {
				t.Errorf("%s and %s have the port %s", name, other, p.Published)
			}
			ports[p.Published] = name
		}
		if s.Build == nil {
			continue
		}
		if _, ok := all[s.Build.Target]; !ok {
			t.Errorf("%s: the Dockerfile has no %s", name, s.Build.Target)
		}
		if !isRoot(t, s.Build.Context) {
			t.Errorf("%s: %s is not where the Dockerfile is", name, s.Build.Context)
		}
		if s.StopGracePeriod == nil || !s.ReadOnly {
			t.Errorf("%s: got %+v", name, s)
		}
		accepted(t, s.Command, environ(s))
		if len(s.Entrypoint) > 0 || !strings.Contains(strings.Join(environ(s), " "), "LEADERSHIP_STORE=redis://redis:6379") {
			t.Errorf("%s is not on Redis", name)
		}
	}
	if len(ports) != 3 {
		t.Errorf("there are ports %v, want three", ports)
	}
}

func isRoot(t *testing.T, folder string) bool {
	t.Helper()
	a, err := os.Stat(folder)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.Stat(root)
	if err != nil {
		t.Fatal(err)
	}
	return os.SameFile(a, b)
}

func TestComposePassesTokensOnWhereThereAreSome(t *testing.T) {
	const token = "0123456789abcdef"
	for _, set := range [][]string{nil, {"LEADERSHIP_WRITE_TOKEN=" + token}} {
		e := environ(compose(t, set...).Services["serve-1"])
		// An empty token is refused, so it must not be there at all.
		if got := slices.Contains(e, "LEADERSHIP_WRITE_TOKEN="+token); got != (set != nil) || slices.Contains(e, "LEADERSHIP_WRITE_TOKEN=") {
			t.Errorf("with %q: got %q", set, e)
		}
	}
}

// Everything of the file is started, on the loopback interface.
func TestComposeFileRuns(t *testing.T) {
	t.Parallel()
	project := compose(t)
	redis := freePort(t)
	_, port, err := net.SplitHostPort(redis)
	if err != nil {
		t.Fatal(err)
	}
	s := project.Services["redis"]
	start(t, append(slices.Clone([]string(s.Command)), "--bind", "127.0.0.1", "--port", port, "--dir", t.TempDir()), environ(s))
	check := s.HealthCheck.Test
	if check[0] != "CMD" || check[1] != "redis-cli" {
		t.Fatalf("the health check is %q", check)
	}
	eventually(t, "Redis", func() bool {
		code, out := run(t, slices.Concat(check[1:2], []string{"-p", port}, check[2:]), nil)
		return code == 0 && strings.Contains(out, "PONG")
	})

	urls := make([]string, 0, 3)
	servers := make(map[string]*process)
	for name, s := range project.Services {
		if !strings.HasPrefix(name, "serve-") {
			continue
		}
		address := freePort(t)
		urls = append(urls, "http://"+address)
		servers[name] = start(t, append([]string{program}, replace(t, s.Command, ":8080", address)...), replace(t, environ(s), "redis:6379", redis))
	}
	for _, url := range urls {
		eventually(t, "health", func() bool {
			code, _ := run(t, []string{program, "alive", url}, nil)
			return code == 0
		})
	}
	var mu sync.Mutex
	answers := make(map[int]int)
	var all sync.WaitGroup
	for i := range 30 {
		all.Go(func() {
			code, _ := get(t, fmt.Sprintf("%s/api/v1/elect/backup/r?node=n%d", urls[i%len(urls)], i), "")
			mu.Lock()
			defer mu.Unlock()
			answers[code]++
		})
	}
	all.Wait()
	if answers[http.StatusAccepted] != 1 || answers[http.StatusNoContent] != 29 {
		t.Errorf("answers to 30 who ask for one round: %v", answers)
	}

	w := project.Services["worker"]
	var workers []*process
	for range *w.Deploy.Replicas {
		workers = append(workers, start(t, append([]string{program}, w.Command...), replace(t, environ(w), "redis:6379", redis)))
	}
	works := func(p *process) bool { return strings.Contains(p.out.String(), "works") }
	eventually(t, "worker", func() bool { return slices.ContainsFunc(workers, works) })
	first, second := workers[0], workers[1]
	if !works(first) {
		first, second = second, first
	}
	if works(second) {
		t.Error("both work")
	}
	if code := first.end(t, syscall.SIGTERM, timeOf(w)); code != 128+int(syscall.SIGTERM) {
		t.Errorf("worker: exit code %d", code)
	}
	eventually(t, "second worker", func() bool { return works(second) })
	for name, p := range servers {
		if code := p.end(t, syscall.SIGTERM, timeOf(project.Services[name])); code != 0 {
			t.Errorf("%s: exit code %d", name, code)
		}
	}
}

// timeOf is how long a service may take to end.
func timeOf(s types.ServiceConfig) time.Duration { return time.Duration(*s.StopGracePeriod) }

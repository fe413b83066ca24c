package deploy

import (
	"context"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// image is a stage of the Dockerfile, as far as it tells how it is run.
type image struct {
	entrypoint, command, health []string
	user                        string
	environ                     []string
	labels                      map[string]string
}

// images reads the Dockerfile.
func images(t *testing.T) map[string]image {
	t.Helper()
	file, err := os.Open(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	parsed, err := parser.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range parsed.Warnings {
		t.Errorf("%s: %s", w.URL, w.Short)
	}
	lint := linter.New(&linter.Config{Warn: func(rule, _, _, message string, _ []parser.Range) { t.Errorf("%s: %s", rule, message) }})
	stages, _, err := instructions.Parse(parsed.AST, lint)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]image)
	for _, stage := range stages {
		i := image{labels: make(map[string]string)}
		for _, command := range stage.Commands {
			switch c := command.(type) {
			case *instructions.EntrypointCommand:
				i.entrypoint = c.CmdLine
			case *instructions.CmdCommand:
				i.command = c.CmdLine
			case *instructions.HealthCheckCommand:
				i.health = c.Health.Test
			case *instructions.UserCommand:
				i.user = c.User
			case *instructions.EnvCommand:
				for _, e := range c.Env {
					i.environ = append(i.environ, e.Key+"="+e.Value)
				}
			case *instructions.LabelCommand:
				for _, l := range c.Labels {
					i.labels[l.Key] = l.Value
				}
			}
		}
		all[stage.Name] = i
	}
	if last := stages[len(stages)-1].Name; last != "leadership" {
		t.Errorf("docker build builds %s", last)
	}
	return all
}

func TestImagesRunLeadershipAsNobodyInParticular(t *testing.T) {
	all := images(t)
	for _, name := range []string{"leadership", "busybox"} {
		i, ok := all[name]
		if !ok || i.user != "65532:65532" || !slices.Equal(i.entrypoint, []string{"/usr/bin/leadership"}) {
			t.Errorf("%s: got %+v", name, i)
		}
	}
	accepted(t, all["leadership"].command, nil)
	if h := all["leadership"].health; len(h) < 2 || h[0] != "CMD" || h[1] != "/usr/bin/leadership" {
		t.Errorf("the health check is %q: there is no shell", h)
	} else {
		accepted(t, h[2:], nil)
	}
	for _, label := range []string{"title", "description", "source", "licenses", "version", "revision"} {
		if all["leadership"].labels["org.opencontainers.image."+label] == "" {
			t.Errorf("there is no label %s", label)
		}
	}
}

func TestImageKnowsItsVersion(t *testing.T) {
	content, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	build, _, _ := strings.Cut(string(content), " AS busybox")
	for _, want := range []string{"\nARG VERSION=", "\nARG REVISION=", `-ldflags="-s -w -X main.builtVersion=$VERSION -X main.builtRevision=$REVISION"`} {
		if !strings.Contains(build, want) {
			t.Errorf("the stage that builds has no %q", want)
		}
	}
	out, err := exec.CommandContext(t.Context(), program, "version").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "leadership v1.2.3 (0123abc), go") {
		t.Errorf("%s, %v", out, err)
	}
}

// The image has no libc, and nothing else either but what the program needs.
func TestProgramServesInAnEmptyFolderAsAnyUser(t *testing.T) {
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if libraries, err := file.ImportedLibraries(); err != nil || len(libraries) > 0 || file.Section(".interp") != nil {
		t.Errorf("it is not static: it needs %v, %v", libraries, err)
	}
	i := images(t)["leadership"]
	folder := t.TempDir()
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(folder, "var", "lib", "leadership")
	for _, dir := range []string{filepath.Join(folder, "usr", "bin"), state} {
		if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // As an image has it.
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "usr", "bin", "leadership"), content, 0o755); err != nil { //nolint:gosec // As an image has it.
		t.Fatal(err)
	}
	const user = 65532
	inside := func(cmd *exec.Cmd) {
		cmd.Path, cmd.Dir = i.entrypoint[0], "/"
		cmd.Env = slices.Clone(i.environ)
		cmd.SysProcAttr.Chroot = folder
		if os.Geteuid() == 0 {
			cmd.SysProcAttr.Credential = &syscall.Credential{Uid: user, Gid: user}
			return
		}
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: user, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: user, HostID: os.Getegid(), Size: 1}}
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(state, user, user); err != nil {
			t.Fatal(err)
		}
	}
	address := freePort(t)
	server := start(t, append(slices.Clone(i.entrypoint), replace(t, i.command, ":8080", address)...), nil, inside)
	healthy := func() bool {
		code, _ := run(t, append(slices.Clone(i.health[1:]), "http://"+address), nil, inside)
		return code == 0
	}
	eventually(t, "health", healthy)
	if code, body := get(t, "http://"+address+"/api/v1/elect/backup/r?node=a", ""); code != 202 {
		t.Errorf("elect: %d %s", code, body)
	}
	if _, err := os.Stat(filepath.Join(state, "elections.db")); err != nil {
		t.Error(err)
	}
	if code := server.end(t, syscall.SIGTERM, 10*time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if healthy() {
		t.Error("it is healthy though it has ended")
	}
}

// In a container leadership run is process 1, which nobody else reaps for.
func TestRunIsFitToBeProcessOne(t *testing.T) {
	isolated := func(cmd *exec.Cmd) {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWPID | syscall.CLONE_NEWNS
		if os.Geteuid() != 0 {
			cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
			cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
		}
	}
	store := "--store=sqlite://" + filepath.Join(t.TempDir(), "e.db")
	// A grandchild is orphaned, and has to be ended with its family. This
	// namespace has to see itself in /proc.
	script := `mount -t proc proc /proc; exec "$@"`
	orphan := `(setsid sleep 1000 &); tr '\0' ' ' </proc/1/cmdline; exit 7`
	argv := []string{"sh", "-c", script, "sh", program, "run", "--key", "k", store, "--", "sh", "-c", orphan}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p := start(t, argv, nil, isolated)
	select {
	case <-p.ended:
	case <-ctx.Done():
		t.Fatal("it does not end")
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 7 || !strings.HasPrefix(p.out.String(), program+" run ") {
		t.Errorf("exit code %d: %s%s", code, p.out.String(), p.errs.String())
	}
}

// The image of a release takes the program from elsewhere; all else is the same.
func TestReleaseHasTheImageOfTheDockerfile(t *testing.T) {
	stage := func(name string) string {
		t.Helper()
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		_, lines, ok := strings.Cut(string(content), " AS leadership\n")
		if !ok {
			t.Fatalf("%s has no stage leadership", name)
		}
		lines = strings.Replace(lines, "COPY --from=build /out/leadership ", "COPY $TARGETPLATFORM/leadership ", 1)
		return strings.Replace(lines, "ARG TARGETPLATFORM\n", "", 1)
	}
	if built, released := stage("Dockerfile"), stage("Dockerfile.release"); built != released {
		t.Errorf("Dockerfile.release has another image than Dockerfile:\n%s\nwant\n%s", released, built)
	}
}

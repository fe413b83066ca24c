// Package modules tests what the modules of this repository make their users
// require.
package modules

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const path = "github.com/seed-a1d591d3/leadership"

// modules returns the folders of all modules of this repository, by path.
func modules(t *testing.T) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, line := range strings.Split(run(t, "../../..", "list", "-m", "-f", "{{.Path}} {{.Dir}}"), "\n") {
		name, dir, _ := strings.Cut(line, " ")
		all[name] = dir
	}
	if len(all) < 14 {
		t.Fatalf("there are %v; the test needs go.work", all)
	}
	return all
}

// run runs the go command in a folder and returns what it prints.
func run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	var errs bytes.Buffer
	cmd.Dir, cmd.Stderr = dir, &errs
	if _, err := os.Stat(filepath.Join(dir, "go.work")); err != nil {
		// A user's. What it asks for is in no go.sum.
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod", "GOSUMDB=off")
	}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v: %s", strings.Join(args, " "), err, &errs)
	}
	return strings.TrimSpace(string(out))
}

// program writes a module that imports packages, and requires our modules from this
// checkout and others as they are pinned, path@version. It returns its folder.
func program(t *testing.T, imports []string, pins ...string) string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"mod", "edit"}
	for name, folder := range modules(t) {
		args = append(args, "-replace="+name+"="+folder)
		if slices.Contains(imports, name) {
			args = append(args, "-require="+name+"@v0.0.0")
		}
	}
	for _, pin := range pins {
		args = append(args, "-require="+pin)
	}
	source := "package main\n\nfunc main() {}\n"
	for _, imported := range imports {
		source = strings.Replace(source, "\n\n", fmt.Sprintf("\n\nimport _ %q\n\n", imported), 1)
	}
	for name, content := range map[string]string{"go.mod": "module program\n\ngo 1.26.0\n", "main.go": source} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(t, dir, args...)
	return dir
}

// listed returns the modules that a program is made of, and their versions.
func listed(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, line := range strings.Split(run(t, dir, "list", "-m", "-f", "{{.Path}} {{.Version}}", "all"), "\n") {
		name, version, _ := strings.Cut(line, " ")
		all[name] = version
	}
	return all
}

// tidy brings a program's go.mod up to date, as its author does.
func tidy(t *testing.T, dir string) string {
	t.Helper()
	run(t, dir, "mod", "tidy")
	return dir
}

// required returns what the go.mod of a folder requires, and the versions.
func required(t *testing.T, dir string) map[string]string {
	t.Helper()
	var read struct {
		Require []struct{ Path, Version string }
	}
	if err := json.Unmarshal([]byte(run(t, dir, "mod", "edit", "-json", "go.mod")), &read); err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, r := range read.Require {
		all[r.Path] = r.Version
	}
	return all
}

func names(all map[string]string) []string { return slices.Sorted(maps.Keys(all)) }

func TestCoreRequiresFourModules(t *testing.T) {
	want := []string{"github.com/anishathalye/porcupine", "github.com/kvtools/valkeyrie", "github.com/robfig/cron/v3", "go.uber.org/goleak"}
	if got := names(required(t, modules(t)[path])); !slices.Equal(got, want) {
		t.Errorf("the root module requires %v, want %v", got, want)
	}
	all := listed(t, tidy(t, program(t, []string{path, path + "/store/memory"})))
	if len(all) > 12 {
		t.Errorf("a program with the core has %d modules: %v", len(all), names(all))
	}
	t.Logf("%d: %v", len(all), names(all))
}

func TestStoreBringsNothingButItsClient(t *testing.T) {
	const client = "github.com/redis/go-redis/v9"
	version := required(t, modules(t)[path+"/store/redis"])[client]
	want := listed(t, tidy(t, program(t, []string{path, path + "/store/memory", client}, client+"@"+version)))
	want[path+"/store/redis"] = "v0.0.0"
	got := listed(t, tidy(t, program(t, []string{path, path + "/store/memory", path + "/store/redis"})))
	t.Logf("%d: %v", len(got), names(got))
	if !maps.Equal(got, want) {
		t.Errorf("want those of the core and of go-redis: %v", want)
	}
}

func TestModuleRequiresNoOthersClient(t *testing.T) {
	// Below tells clients by what their paths begin with.
	clients := map[string]string{
		"store/etcd":      "go.etcd.io/",
		"store/consul":    "github.com/hashicorp/consul/",
		"store/zookeeper": "github.com/go-zookeeper/",
		"store/redis":     "github.com/redis/",
		"store/postgres":  "github.com/jackc/pgx/",
		"store/sqlite":    "modernc.org/sqlite",
		"leadcron":        "github.com/go-co-op/",
		"httpapi":         "github.com/prometheus/client_golang",
		"cmd/leadership":  "github.com/spf13/",
		"internal/tests":  "github.com/chromedp/",
	}
	// What is made of several.
	several := []string{"store/all", "cmd/leadership", "bench", "examples", "faults", "internal/tests"}
	for name, dir := range modules(t) {
		name = strings.TrimPrefix(strings.TrimPrefix(name, path), "/")
		if slices.Contains(several, name) {
			continue
		}
		if _, known := clients[name]; !known && name != "" {
			t.Errorf("module %s: what is it for?", name)
		}
		for of, client := range clients {
			has := slices.ContainsFunc(names(required(t, dir)), func(r string) bool { return strings.HasPrefix(r, client) })
			if has != (of == name) {
				t.Errorf("module %q requires %s: %v", name, client, has)
			}
		}
	}
}

func TestProgramWithTheCoreKeepsItsVersions(t *testing.T) {
	pinned := map[string]string{
		"google.golang.org/grpc":       "v1.65.0",
		"github.com/jackc/pgx/v5":      "v5.5.5",
		"github.com/redis/go-redis/v9": "v9.5.1",
	}
	ours := required(t, modules(t)[path+"/cmd/leadership"])
	var pins []string
	for name, version := range pinned {
		pins = append(pins, name+"@"+version)
		if ours[name] == "" || ours[name] == version {
			t.Errorf("ours is %s %q, which %s is not older than", name, ours[name], version)
		}
	}
	got := listed(t, program(t, []string{path}, pins...))
	for name, version := range pinned {
		if got[name] != version {
			t.Errorf("%s becomes %s, want %s", name, got[name], version)
		}
	}
	// The other way round, with a store that needs a later one.
	const client = "github.com/redis/go-redis/v9"
	if got := listed(t, program(t, []string{path, path + "/store/redis"}, pins...)); got[client] != ours[client] {
		t.Errorf("with store/redis %s is %s, want %s", client, got[client], ours[client])
	}
}

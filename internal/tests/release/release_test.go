package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestVersionsThatCannotBeReleasedAreRefused(t *testing.T) {
	for version, why := range map[string]string{
		"": "which version?", "1.2.3": "form v1.2.3", "v1.2": "form v1.2.3", "v01.2.3": "form v1.2.3", "latest": "form v1.2.3",
		"v1.2.3+linux": "form v1.2.3", "v2.0.0": "/v2", "v10.0.0": "/v10", "v0.0.0-20201018120000-0123456789ab": "makes up",
	} {
		if err := release(t.Context(), t.TempDir(), version, true, t.Output()); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("version %q: %v, want %q", version, err, why)
		}
	}
	for _, version := range []string{"v0.1.0", "v1.0.0", "v1.2.3-rc.1"} {
		if err := checkVersion(version); err != nil {
			t.Error(err)
		}
	}
}

const goodProgram = `package main

import (
	"fmt"
	"runtime/debug"

	_ "` + path + `"
	"` + path + `/store/all"
)

func main() {
	info, _ := debug.ReadBuildInfo()
	fmt.Println("leadership", info.Main.Version+",", all.Stores)
}
`

// goMod is a module that requires others of this repository, which it replaces by
// their folders.
func goMod(name, up string, requires ...string) string {
	content := "module " + path + name + "\n\ngo 1.26.0\n"
	for _, required := range requires {
		content += "\nrequire " + path + required + " v0.0.0\n\nreplace " + path + required + " => " + up + required + "\n"
	}
	return content
}

// repository makes one of small modules, with changes of that, and returns how to run
// programs in it.
func repository(t *testing.T, changes map[string]string) tool {
	t.Helper()
	for key, value := range map[string]string{"NAME": "anna", "EMAIL": "anna@example.com"} {
		t.Setenv("GIT_AUTHOR_"+key, value)
		t.Setenv("GIT_COMMITTER_"+key, value)
	}
	r := tool{ctx: t.Context(), dir: t.TempDir()}
	files := map[string]string{
		"go.work":                "go 1.26.0\n\nuse (\n\t.\n\t./cmd/leadership\n\t./internal/tests\n\t./store/all\n)\n",
		"CHANGELOG.md":           "# Changelog\n\n## [Unreleased]\n\n## [0.1.0] - 2020-10-18\n",
		"LICENSE":                "Do as you like.\n", // which the go command adds to each module
		"go.mod":                 goMod("", ""),
		"root.go":                "package leadership\n\nconst Stores = 7\n",
		"store/all/go.mod":       goMod("/store/all", "../..", ""),
		"store/all/all.go":       "package all\n\nimport \"" + path + "\"\n\nconst Stores = leadership.Stores\n",
		"cmd/leadership/go.mod":  goMod("/cmd/leadership", "../..", "", "/store/all"),
		"cmd/leadership/main.go": goodProgram,
		"internal/tests/go.mod":  goMod("/internal/tests", "../..", "", "/store/all"),
		"internal/tests/t.go":    "package tests\n\nimport _ \"" + path + "\"\nimport _ \"" + path + "/store/all\"\n",
	}
	for name, content := range changes {
		files[name] = content
	}
	for name, content := range files {
		name = filepath.Join(r.dir, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(name), 0o700)
		if err == nil {
			err = os.WriteFile(name, []byte(content), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"init", "--quiet"}, {"add", "."}, {"commit", "--quiet", "--message", "Begin"}} {
		must(t, r, "git", args...)
	}
	return r
}

func must(t *testing.T, r tool, name string, args ...string) string {
	t.Helper()
	out, err := r.run(name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// state is what a release must not change, and the tags if it is a check only.
func state(t *testing.T, r tool, tags bool) string {
	t.Helper()
	refs := []string{"for-each-ref", "refs/heads"}
	if tags {
		refs = refs[:1]
	}
	return must(t, r, "git", refs...) + must(t, r, "git", "status", "--porcelain", "--branch") + must(t, r, "git", "config", "--local", "--list")
}

func TestCheckListsTheTagsInOrderAndChangesNothing(t *testing.T) {
	r := repository(t, nil)
	before := state(t, r, true)
	var out bytes.Buffer
	if err := release(t.Context(), filepath.Join(r.dir, "store"), "v0.1.0", false, &out); err != nil {
		t.Fatal(err)
	}
	const want = "The tags of v0.1.0, each after those that it needs:\n\tv0.1.0\n\tstore/all/v0.1.0\n\tcmd/leadership/v0.1.0\nv0.1.0 can be released.\n"
	if out.String() != want {
		t.Errorf("it says\n%s\nwant\n%s", &out, want)
	}
	if after := state(t, r, true); after != before {
		t.Errorf("the repository was\n%s\nand is\n%s", before, after)
	}
}

func TestTagsAreOfModulesThatReplaceNothing(t *testing.T) {
	r := repository(t, nil)
	before := state(t, r, false)
	var out bytes.Buffer
	if err := release(t.Context(), r.dir, "v0.1.0", true, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "git push --atomic origin v0.1.0 store/all/v0.1.0 cmd/leadership/v0.1.0\n") {
		t.Errorf("it says %s", &out)
	}
	if after := state(t, r, false); after != before {
		t.Errorf("the repository was\n%s\nand is\n%s", before, after)
	}
	if tags := must(t, r, "git", "tag", "--list"); tags != "cmd/leadership/v0.1.0\nstore/all/v0.1.0\nv0.1.0" {
		t.Errorf("there are the tags %s", tags)
	}
	for _, file := range []string{"store/all/go.mod", "cmd/leadership/go.mod", "internal/tests/go.mod"} {
		content := must(t, r, "git", "show", "v0.1.0:"+file)
		if strings.Contains(content, "replace") || !strings.Contains(content, path+" v0.1.0") {
			t.Errorf("%s is\n%s", file, content)
		}
	}
	if parents := must(t, r, "git", "rev-list", "v0.1.0", "--not", "HEAD"); strings.Contains(parents, "\n") {
		t.Errorf("the release has several commits:\n%s", parents)
	}
	if author := must(t, r, "git", "log", "-1", "--format=%an", "v0.1.0"); author != "anna" {
		t.Errorf("its author is %s", author)
	}
	if err := release(t.Context(), r.dir, "v0.1.0", false, &out); err == nil || !strings.Contains(err.Error(), "there is a tag v0.1.0") {
		t.Errorf("a second time: %v", err)
	}
}

func TestUnreleasedModulesGoOnToReplaceEachOther(t *testing.T) {
	r := repository(t, map[string]string{
		"go.work":       "go 1.26.0\n\nuse (\n\t.\n\t./bench\n\t./cmd/leadership\n\t./faults\n\t./store/all\n)\n",
		"bench/go.mod":  goMod("/bench", "..", "", "/faults"),
		"bench/b.go":    "package bench\n\nimport _ \"" + path + "\"\nimport _ \"" + path + "/faults\"\n",
		"faults/go.mod": goMod("/faults", "..", ""),
		"faults/f.go":   "package faults\n\nimport _ \"" + path + "\"\n",
	})
	if err := release(t.Context(), r.dir, "v0.1.0", true, t.Output()); err != nil {
		t.Fatal(err)
	}
	if tags := must(t, r, "git", "tag", "--list"); tags != "cmd/leadership/v0.1.0\nstore/all/v0.1.0\nv0.1.0" {
		t.Errorf("there are the tags %s", tags)
	}
	content := must(t, r, "git", "show", "v0.1.0:bench/go.mod")
	for _, line := range []string{path + " v0.1.0", path + "/faults v0.0.0", "replace " + path + "/faults => ../faults"} {
		if !strings.Contains(content, line) {
			t.Errorf("bench/go.mod has no %q:\n%s", line, content)
		}
	}
	if strings.Contains(content, path+" => ") {
		t.Errorf("bench/go.mod replaces a released module:\n%s", content)
	}
}

func TestReleaseThatWouldNotWorkIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		changes map[string]string
		why     string
	}{
		"replaces another's module": {
			map[string]string{"store/all/go.mod": goMod("/store/all", "../..", "") + "\nreplace example.com/other => ../other\n"},
			"store/all replaces example.com/other",
		},
		"needs a module that is not released": {
			map[string]string{
				"cmd/leadership/go.mod":  goMod("/cmd/leadership", "../..", "", "/store/all", "/internal/tests"),
				"cmd/leadership/main.go": strings.Replace(goodProgram, "import (", "import (\n\t_ \""+path+"/internal/tests\"", 1),
			},
			"internal/tests",
		},
		"requires what nothing imports": {
			map[string]string{"internal/tests/t.go": "package tests\n\nimport _ \"" + path + "\"\n"},
			"run make tidy",
		},
		"does not compile": {
			map[string]string{"store/all/all.go": "package all\n\nimport \"" + path + "\"\n\nconst Stores = leadership.Others\n"},
			"undefined: leadership.Others",
		},
		"calls itself by another version": {
			map[string]string{"cmd/leadership/main.go": strings.Replace(goodProgram, "info.Main.Version+", `"v0.0.9"+info.Main.Sum[:0]+`, 1)},
			`calls itself "leadership v0.0.9`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := repository(t, c.changes)
			err := release(t.Context(), r.dir, "v0.1.0", true, t.Output())
			if err == nil || !strings.Contains(err.Error(), c.why) {
				t.Errorf("%v, want %q", err, c.why)
			}
			if tags := must(t, r, "git", "tag", "--list"); tags != "" {
				t.Errorf("there are the tags %s", tags)
			}
		})
	}
}

func TestWhatWasForgottenIsToldBeforeTagsAreSet(t *testing.T) {
	r := repository(t, nil)
	if err := os.WriteFile(filepath.Join(r.dir, "root.go"), []byte("package leadership\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := release(t.Context(), r.dir, "v0.2.0", true, t.Output())
	for _, part := range []string{"not committed", "root.go", "no section [0.2.0]"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v, want %q", err, part)
		}
	}
	var out bytes.Buffer
	err = release(t.Context(), r.dir, "v0.2.0", false, &out)
	if !errors.Is(err, errNotYet) || !strings.Contains(err.Error(), "no section [0.2.0]") || strings.Contains(out.String(), "can be released") || !strings.Contains(out.String(), "store/all/v0.2.0") {
		t.Errorf("a check: %v, %s", err, &out)
	}
}

func TestThisCommitCanBeReleased(t *testing.T) {
	if testing.Short() {
		t.Skip("builds all modules")
	}
	var out bytes.Buffer
	if err := release(t.Context(), ".", "v0.99.0", false, &out); err != nil && !errors.Is(err, errNotYet) {
		t.Fatal(err)
	}
	t.Log(out.String())
	for _, tag := range []string{"\n\tv0.99.0\n", "\n\tstore/all/v0.99.0\n\tcmd/leadership/v0.99.0\n"} {
		if !strings.Contains(out.String(), tag) {
			t.Errorf("there is no tag %s", tag)
		}
	}
}

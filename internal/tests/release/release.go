package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// path is that of the root module, and what the paths of all others begin with.
const path = "github.com/seed-a1d591d3/leadership"

// part is a module of this repository.
type part struct {
	path, dir string // the folder, from the root; "." is the root
	file      *modfile.File
}

// released reports whether others may require the module.
func (p part) released() bool {
	return !strings.Contains(p.path, "/internal/") && p.path != path+"/faults" && p.path != path+"/bench"
}

// tag names a version of the module, as the go command looks for it.
func (p part) tag(version string) string { return strings.TrimPrefix(p.path+"/"+version, path+"/") }

// release checks a release of the commit that is checked out in the repository at dir,
// lists its tags, and, if set is true, sets them there.
func release(ctx context.Context, dir, version string, set bool, out io.Writer) error {
	if err := checkVersion(version); err != nil {
		return err
	}
	from := tool{ctx: ctx, dir: dir}
	root, err := from.run("git", "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	from.dir = root
	forgotten, err := checkRepository(from, version)
	if err != nil || set && forgotten != nil {
		return errors.Join(err, forgotten)
	}
	tmp, err := os.MkdirTemp("", "leadership-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	to, err := from.copy(tmp)
	if err != nil {
		return err
	}
	parts, err := inOrder(to)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if taken, err := from.run("git", "tag", "--list", p.tag(version)); err != nil || taken != "" {
			return errors.Join(err, fmt.Errorf("there is a tag %s: choose a later version", p.tag(version)))
		}
	}
	if err := write(to, parts, version); err != nil {
		return err
	}
	if err := check(to, parts, version, tmp); err != nil {
		return fmt.Errorf("%s as it would be published: %w", version, err)
	}

	var tags []string
	for _, p := range parts {
		if p.released() {
			tags = append(tags, p.tag(version))
		}
	}
	if !set {
		fmt.Fprintf(out, "The tags of %s, each after those that it needs:\n\t%s\n", version, strings.Join(tags, "\n\t"))
		if forgotten != nil {
			return fmt.Errorf("%s builds from these tags, and %w:\n%w", version, errNotYet, forgotten)
		}
		fmt.Fprintf(out, "%s can be released.\n", version)
		return nil
	}
	if _, err := to.run("git", append([]string{"push", "--quiet", "--atomic", root}, tags...)...); err != nil {
		return err
	}
	fmt.Fprintf(out, "The tags are set. To publish them:\n\tgit push --atomic origin %s\n", strings.Join(tags, " "))
	return nil
}

func checkVersion(version string) error {
	switch {
	case version == "":
		return errors.New("which version? Such as v1.2.3 (make release VERSION=v1.2.3)")
	case semver.Canonical(version) != version:
		return fmt.Errorf("version %q is not of the form v1.2.3 or v1.2.3-rc.1", version)
	case module.IsPseudoVersion(version):
		return fmt.Errorf("version %s has the form of those that the go command makes up", version)
	case semver.Major(version) > "v1":
		return fmt.Errorf("version %s wants paths of modules that end in /%s", version, semver.Major(version))
	}
	return nil
}

// errNotYet means that something is to be done before the tags can be set.
var errNotYet = errors.New("cannot be released yet")

// checkRepository returns what the author of a release has forgotten, if anything.
func checkRepository(from tool, version string) (forgotten, err error) {
	var all []error
	if changed, err := from.run("git", "status", "--porcelain"); err != nil {
		return nil, err
	} else if changed != "" {
		all = append(all, fmt.Errorf("there are changes that are not committed, and would be left out:\n%s", changed))
	}
	changelog, err := os.ReadFile(filepath.Join(from.dir, "CHANGELOG.md"))
	if err != nil {
		return nil, err
	}
	if heading := "\n## [" + version[1:] + "]"; !bytes.Contains(changelog, []byte(heading)) {
		all = append(all, fmt.Errorf("CHANGELOG.md has no section [%s]: give [Unreleased] that name and the date", version[1:]))
	}
	return errors.Join(all...), nil
}

// copy makes a copy of the present commit in tmp, and has the go command take it for
// what GitHub has.
func (t tool) copy(tmp string) (tool, error) {
	src, cache := filepath.Join(tmp, "src"), filepath.Join(tmp, "cache")
	commit, err := t.run("git", "rev-parse", "HEAD")
	if err != nil {
		return tool{}, err
	}
	known, err := t.run("go", "env", "GOMODCACHE")
	if err != nil {
		return tool{}, err
	}
	if err := mirror(known, cache, "cache/download/github.com", "github.com"); err != nil {
		return tool{}, err
	}
	if _, err := t.run("git", "clone", "--quiet", "--shared", "--no-checkout", t.dir, src); err != nil {
		return tool{}, err
	}
	to := tool{ctx: t.ctx, dir: src, env: []string{
		"GOWORK=off", "CGO_ENABLED=0", "GOFLAGS=-modcacherw -trimpath -buildvcs=false",
		"GOMODCACHE=" + cache, // so that nothing of the copy stays in that of the user
		"GOPRIVATE=" + path, "GONOPROXY=" + path, "GONOSUMDB=" + path, "GOBIN=" + filepath.Join(tmp, "bin"),
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=url.file://" + filepath.ToSlash(src) + ".insteadOf", "GIT_CONFIG_VALUE_0=https://" + path,
	}}
	if _, err := to.run("git", "checkout", "--quiet", "--detach", commit); err != nil {
		return tool{}, err
	}
	// The author of the release commit is who would commit in the repository itself.
	for key, value := range map[string]string{"user.name": "release", "user.email": "release@localhost"} {
		if own, err := t.run("git", "config", "--get", key); err == nil {
			value = own
		}
		if _, err := to.run("git", "config", key, value); err != nil {
			return tool{}, err
		}
	}
	return to, nil
}

// mirror makes in to a folder like from: what is in it are links to what is there, save
// for the folders named, which are folders, and for what is of this repository.
func mirror(from, to string, folders ...string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		var below []string
		for _, folder := range folders {
			if first, rest, _ := strings.Cut(folder, "/"); first == e.Name() {
				below = append(below, rest)
			}
		}
		a, b := filepath.Join(from, e.Name()), filepath.Join(to, e.Name())
		switch {
		case below != nil:
			err = mirror(a, b, below...)
		case e.Name() != "seed-a1d591d3" && e.Name() != "vcs":
			err = os.Symlink(a, b)
		default:
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// inOrder returns the modules of a repository, each after those that it requires.
func inOrder(t tool) ([]part, error) {
	work, err := os.ReadFile(filepath.Join(t.dir, "go.work"))
	if err != nil {
		return nil, err
	}
	parsed, err := modfile.ParseWork("go.work", work, nil)
	if err != nil {
		return nil, err
	}
	all := make(map[string]part)
	for _, use := range parsed.Use {
		name := filepath.Join(t.dir, filepath.FromSlash(use.Path), "go.mod")
		content, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		file, err := modfile.Parse(name, content, nil)
		if err != nil {
			return nil, err
		}
		all[file.Module.Mod.Path] = part{path: file.Module.Mod.Path, dir: filepath.Dir(name), file: file}
	}
	var ordered []part
	done := make(map[string]bool)
	var add func(p part)
	add = func(p part) {
		if done[p.path] {
			return
		}
		done[p.path] = true
		for _, r := range p.file.Require {
			if needed, ours := all[r.Mod.Path]; ours {
				add(needed)
			}
		}
		ordered = append(ordered, p)
	}
	for _, released := range []bool{true, false} { // those that are come first
		for _, use := range parsed.Use { // which go work keeps sorted
			for _, p := range all {
				if p.released() == released && filepath.Join(t.dir, filepath.FromSlash(use.Path)) == p.dir {
					add(p)
				}
			}
		}
	}
	return ordered, nil
}

// write writes the version into the go.mod of each module, in place of replace
// directives, and into its go.sum what the others have become, and tags them all at
// one commit.
func write(t tool, parts []part, version string) error {
	before, err := t.run("git", "rev-parse", "HEAD")
	if err != nil {
		return err
	}
	tag := func(p part) error {
		if !p.released() {
			return nil
		}
		_, err := t.run("git", "tag", "--force", "--message", "leadership "+version, p.tag(version))
		return err
	}
	commit := func() error {
		_, err := t.run("git", "commit", "--quiet", "--all", "--allow-empty", "--message", "Release "+version)
		return err
	}
	for _, p := range parts {
		for _, other := range parts {
			if !p.released() && !other.released() {
				continue // these go on to replace each other
			}
			if slices.ContainsFunc(p.file.Require, func(r *modfile.Require) bool { return r.Mod.Path == other.path }) {
				if err := p.file.AddRequire(other.path, version); err != nil {
					return err
				}
			}
			if err := p.file.DropReplace(other.path, ""); err != nil {
				return err
			}
		}
		p.file.Cleanup()
		for _, r := range p.file.Replace {
			if p.released() || !slices.ContainsFunc(parts, func(other part) bool { return other.path == r.Old.Path }) {
				return fmt.Errorf("%s replaces %s, which its users would not get", p.path, r.Old.Path)
			}
		}
		content, err := p.file.Format()
		if err == nil {
			err = os.WriteFile(filepath.Join(p.dir, "go.mod"), content, 0o600)
		}
		if err == nil {
			_, err = t.in(p.dir).run("go", "mod", "tidy")
		}
		if err == nil {
			var tidied []byte
			if tidied, err = os.ReadFile(filepath.Join(p.dir, "go.mod")); err == nil && !bytes.Equal(tidied, content) {
				err = fmt.Errorf("its go.mod is not up to date: run make tidy, which makes of\n%s\nthis:\n%s", content, tidied)
			}
		}
		// The next are to find it.
		if err := errors.Join(err, commit(), tag(p)); err != nil {
			return fmt.Errorf("module %s: %w", p.path, err)
		}
	}
	// What has been tagged on the way has the same files at the end.
	if _, err := t.run("git", "reset", "--quiet", "--soft", before); err != nil {
		return err
	}
	if err := commit(); err != nil {
		return err
	}
	for _, p := range parts {
		if err := tag(p); err != nil {
			return err
		}
	}
	return nil
}

// check builds each module from the tags of the others, and installs the program, as
// their users would.
func check(t tool, parts []part, version, tmp string) error {
	// It is to look at the tags as they are now.
	for _, of := range []string{"cache/vcs", "cache/download/github.com/seed-a1d591d3", "github.com/seed-a1d591d3"} {
		if err := os.RemoveAll(filepath.Join(tmp, "cache", filepath.FromSlash(of))); err != nil {
			return err
		}
	}
	// go list -export compiles as go build does, and links no programs, of which one alone is run.
	for _, p := range parts {
		if _, err := t.in(p.dir).run("go", "list", "-export", "-f", "{{.Name}}", "./..."); err != nil {
			return fmt.Errorf("module %s: %w", p.path, err)
		}
	}
	install := t.in(tmp)
	install.env = append(slices.Clone(t.env), "GOSUMDB=off") // go.sum has been looked at
	if _, err := install.run("go", "install", "-ldflags=-s -w", path+"/cmd/leadership@"+version); err != nil {
		return err
	}
	said, err := install.run(filepath.Join(tmp, "bin", "leadership"), "version")
	if err == nil && !strings.HasPrefix(said, "leadership "+version+",") {
		err = fmt.Errorf("the program calls itself %q", said)
	}
	return err
}

// tool runs programs in a folder.
type tool struct {
	ctx context.Context //nolint:containedctx // of one release
	dir string
	env []string // beside that of this process
}

func (t tool) in(dir string) tool {
	t.dir = dir
	return t
}

// run runs a program and returns what it prints.
func (t tool) run(name string, args ...string) (string, error) {
	cmd := exec.CommandContext(t.ctx, name, args...)
	cmd.Dir, cmd.Env = t.dir, append(os.Environ(), t.env...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(args, " "), err, &errs)
	}
	return strings.TrimRight(string(out), "\n"), nil
}

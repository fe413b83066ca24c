package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed-a1d591d3/leadership/store"
)

// openStore opens the store that --store or LEADERSHIP_STORE names, or this
// user's own. It blocks for store.OpenTimeout at most.
func (p *program) openStore(ctx context.Context) (store.Store, error) {
	kv, _, err := p.openSharedStore(ctx)
	return kv, err
}

// openCommonStore opens the store of a command whose effect is meant for all machines, and
// warns if each of them may have a store of its own.
func (p *program) openCommonStore(ctx context.Context) (store.Store, error) {
	kv, name, err := p.openSharedStore(ctx)
	if err == nil {
		p.warnOfLocal(name)
	}
	return kv, err
}

// openSharedStore opens the store, and returns its name, for people.
func (p *program) openSharedStore(ctx context.Context) (kv store.Store, name string, err error) {
	slog.SetDefault(p.logger()) // where stores warn
	kv, name, err = p.openNamedStore(ctx)
	if err == nil && strings.HasPrefix(name, "memory:") {
		err = usage("%s is a store of this process alone, without other candidates: name another", name)
		return nil, "", errors.Join(err, kv.Close())
	}
	return kv, name, err
}

// openNamedStore does the same, and accepts a store of this process alone, too.
func (p *program) openNamedStore(ctx context.Context) (kv store.Store, name string, err error) {
	from, address, err := p.anyStore()
	if err != nil {
		return nil, "", err
	}
	if kv, err = store.Open(ctx, address); err != nil {
		return nil, "", fmt.Errorf("%s: %w", from, err)
	}
	return kv, withoutSecrets(address), nil
}

// namedStore returns the URL in --store or LEADERSHIP_STORE, or an empty string.
func (p *program) namedStore() (from, address string) {
	if p.storeURL != "" {
		return "--store", p.storeURL
	}
	return "LEADERSHIP_STORE", p.env("LEADERSHIP_STORE")
}

// anyStore returns that URL, or that of this user's own store.
func (p *program) anyStore() (from, address string, err error) {
	if from, address = p.namedStore(); address != "" {
		return from, address, nil
	}
	return p.ownStore()
}

// withoutSecrets is a URL without its user, password and parameters, and its scheme in
// lower case. It may name several hosts, which package url does not take.
func withoutSecrets(address string) string {
	address, _, _ = strings.Cut(address, "?")
	address, _, _ = strings.Cut(address, "#")
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		return "store"
	}
	return strings.ToLower(scheme) + "://" + rest[strings.LastIndexByte(rest, '@')+1:]
}

// ownStore returns the URL of the file in the user's state folder. It makes the folder.
func (p *program) ownStore() (from, address string, err error) {
	state := p.env("XDG_STATE_HOME")
	if !filepath.IsAbs(state) { // as the specification of XDG has it
		home := p.env("HOME")
		if !filepath.IsAbs(home) {
			return "", "", errors.New("no store is named, and no home for one: set --store, LEADERSHIP_STORE, XDG_STATE_HOME or HOME")
		}
		state = filepath.Join(home, ".local", "state")
	}
	folder := filepath.Join(state, "leadership")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", "", fmt.Errorf("make the folder of the store: %w", err)
	}
	file := filepath.Join(folder, "elections.db")
	return file, (&url.URL{Scheme: "sqlite", Path: file}).String(), nil
}

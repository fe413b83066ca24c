package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/observe"
	"github.com/seed-a1d591d3/leadership/store"
)

// elections are those of a store, or of a server that has one.
type elections interface {
	// look returns the state of an election.
	look(ctx context.Context, key string) (found, error)

	// list returns the states of the elections whose keys begin with prefix, and whether
	// there are more.
	list(ctx context.Context, prefix string) (all []found, more bool, err error)

	// ask is leadership.Ask, and forget is leadership.Forget. Both take until ctx ends, at
	// most.
	ask(ctx context.Context, key string, r leadership.Request) error
	forget(ctx context.Context, key string) error

	// follow returns the events of an election or, if key is empty, of those whose keys
	// begin with prefix, until ctx ends or there is an error: lines of JSON as the service
	// sends them.
	follow(ctx context.Context, key, prefix string) iter.Seq2[[]byte, error]

	Close() error
}

// found is what a look at an election has found.
type found struct {
	leadership.Standing
	expired bool // it was seen that the leader does not renew its term
}

// reachFlags are how a command reaches elections, besides --store and --verbose.
type reachFlags struct {
	server, tokenFile string
	tls               clientTLS
}

// reachFlags adds the flags of a command that calls reach.
func (p *program) reachFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&p.reached.server, "server", "", "URL of a leadership serve to ask in place of a store (default $LEADERSHIP_SERVER)")
	flags.StringVar(&p.reached.tokenFile, "token-file", "", "file with the token for --server (default $LEADERSHIP_WRITE_TOKEN_FILE)")
	p.reached.tls.flags(cmd)
}

// named returns where the elections are: at a server, or else in a store.
func (p *program) named() (from, server string, err error) {
	f := p.reached
	fromStore, address := p.namedStore()
	from, server = "--server", f.server
	if server == "" {
		from, server = "LEADERSHIP_SERVER", p.env("LEADERSHIP_SERVER")
	}
	switch {
	case f.server != "" && p.storeURL != "":
		return "", "", usage("--server and --store are both set: set one")
	case p.storeURL != "":
		server = ""
	case f.server == "" && server != "" && address != "":
		return "", "", usage("%s and %s are both set: choose by --server or --store", from, fromStore)
	}
	if server == "" && (f.tokenFile != "" || f.tls != clientTLS{}) {
		return "", "", usage("--token-file, --tls-ca, --tls-cert and --tls-key are of no use without --server")
	}
	return from, server, nil
}

// reach returns the elections that the flags and the environment name. Close them.
func (p *program) reach(ctx context.Context) (elections, error) {
	from, server, err := p.named()
	switch {
	case err != nil:
		return nil, err
	case server == "":
		return p.reachStore(ctx, p.openStore)
	}
	return p.newRemote(from, server)
}

// reachCommon does the same for a command whose effect is meant for all machines.
func (p *program) reachCommon(ctx context.Context) (elections, error) {
	_, server, err := p.named()
	switch {
	case err == nil && server == "":
		return p.reachStore(ctx, p.openCommonStore)
	case err == nil && p.local:
		return nil, usage("--local is of no use with a server")
	}
	return p.reach(ctx)
}

func (p *program) reachStore(ctx context.Context, open func(context.Context) (store.Store, error)) (elections, error) {
	kv, err := open(ctx)
	if err != nil {
		return nil, err
	}
	return p.stored(kv), nil
}

// stored returns the elections of a store.
func (p *program) stored(kv store.Store) *stored {
	return &stored{Store: kv, p: p, claims: make(map[string]*leadership.Claims)}
}

// stored are the elections of a store.
type stored struct {
	store.Store
	p      *program
	claims map[string]*leadership.Claims
}

func (s *stored) look(ctx context.Context, key string) (found, error) {
	if s.claims[key] == nil {
		s.claims[key] = leadership.NewClaims(s.Store, key)
	}
	st, err := s.claims[key].Look(ctx)
	return found{Standing: st}, err
}

// list leaves out what is not an election, such as rounds, and whatever else is in the
// store.
func (s *stored) list(ctx context.Context, prefix string) (all []found, _ bool, err error) {
	states, err := leadership.Elections(ctx, s.Store, prefix)
	for _, st := range states {
		all = append(all, found{Standing: st})
	}
	return all, false, err
}

func (s *stored) ask(ctx context.Context, key string, r leadership.Request) error {
	return leadership.Ask(ctx, s.Store, key, r)
}

func (s *stored) forget(ctx context.Context, key string) error {
	return leadership.Forget(ctx, s.Store, key)
}

// follow observes as the service does.
func (s *stored) follow(ctx context.Context, key, prefix string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		var err error
		if key != "" {
			_, err = s.look(ctx, key)
		} else {
			_, _, err = s.list(ctx, prefix)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		o := observe.New(observe.Config{
			Store: s.Store, Timeout: leadership.DefaultCallTimeout, Log: s.p.logger(), Explain: error.Error,
			Observe: key == "", Prefix: prefix, Valid: func(string) bool { return true },
		})
		defer o.Close()
		reader, err := o.Read(key, "")
		if key == "" {
			reader, err = o.ReadAll(prefix, nil, "", false)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		defer o.Leave(reader)
		events := reader.Past()
		for {
			for _, e := range events {
				if !yield(e.Line, nil) {
					return
				}
			}
			select {
			case <-ctx.Done():
				return
			case <-reader.Wake():
			}
			next, ok := reader.Next()
			if events = next; !ok {
				yield(nil, errors.New("changes come faster than they can be printed"))
				return
			}
		}
	}
}

// operate calls f for an operator, until f returns or the timeout is over. To the errors of
// f it adds the exit code and what to do.
func (p *program) operate(ctx context.Context, reach func(context.Context) (elections, error), timeout time.Duration, f func(context.Context, elections) error) error {
	if timeout <= 0 {
		return usage("--timeout is %v: must be above 0", timeout)
	}
	all, err := reach(ctx)
	if err != nil {
		return err
	}
	defer all.Close()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	switch err = f(ctx, all); {
	case errors.Is(err, leadership.ErrNoElection):
		return fmt.Errorf("%w: check the key for a typo", err)
	case errors.Is(err, leadership.ErrPaused):
		return fmt.Errorf("%w: resume it first", err)
	case errors.Is(err, leadership.ErrNoLeader), errors.Is(err, leadership.ErrHeld):
		return &exitError{exitNo, err}
	}
	return err
}

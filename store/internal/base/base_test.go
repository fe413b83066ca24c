package base

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// calls makes each call of a store, and counts how often one gets to the store.
func calls(s *Store, reached *int) map[string]func(ctx context.Context, key string) error {
	return map[string]func(ctx context.Context, key string) error{
		"get": func(ctx context.Context, key string) error {
			_, err := s.Get(ctx, key, func() (*store.KVPair, error) { *reached++; return nil, nil })
			return err
		},
		"atomic put": func(ctx context.Context, key string) error {
			_, _, err := s.AtomicPut(ctx, key, nil, nil, func([]byte, time.Duration) (uint64, error) { *reached++; return 1, nil })
			return err
		},
		"atomic delete": func(ctx context.Context, key string) error {
			_, err := s.AtomicDelete(ctx, key, new(store.KVPair), func() error { *reached++; return nil })
			return err
		},
		"watch": func(ctx context.Context, key string) error {
			_, err := s.Watch(ctx, key, func(context.Context, string, func(*store.KVPair)) { *reached++ })
			return err
		},
		"list": func(ctx context.Context, key string) error {
			_, err := s.List(ctx, key, func() ([]*store.KVPair, error) { *reached++; return nil, nil })
			return err
		},
	}
}

func TestBadCallsDoNotGetToTheStore(t *testing.T) {
	refused := errors.New("refused")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		ctx    context.Context
		key    string
		closed bool
		want   error
	}{
		"ended context": {ctx: ended, key: "key", want: context.Canceled},
		"closed store":  {ctx: t.Context(), key: "key", closed: true, want: store.ErrClosed},
		"bad text":      {ctx: t.Context(), key: "bad", want: refused},
		"empty key":     {ctx: t.Context(), want: ErrEmptyKey},
	} {
		var reached int
		s := &Store{Name: "test", CheckText: func(_, text string) error {
			if text == "bad" {
				return refused
			}
			return nil
		}}
		if test.closed {
			s.Close()
		}
		for op, call := range calls(s, &reached) {
			if op == "list" && test.key == "" {
				continue // of all keys
			}
			err := call(test.ctx, test.key)
			if !errors.Is(err, test.want) || !strings.HasPrefix(err.Error(), "test: "+op+" ") {
				t.Errorf("%s: %s: %v", name, op, err)
			}
		}
		if reached > 0 {
			t.Errorf("%s: %d calls got to the store", name, reached)
		}
	}
}

func TestTTLIsCheckedBeforeTheWrite(t *testing.T) {
	for _, test := range []struct {
		ttl, shortest time.Duration
		ok, supported bool
	}{
		{ttl: 0, shortest: NoTTL, ok: true},
		{ttl: 1, shortest: 0, ok: true},
		{ttl: time.Second, shortest: time.Second, ok: true},
		{ttl: time.Second - 1, shortest: time.Second},
		{ttl: time.Hour, shortest: NoTTL},
		{ttl: -1, shortest: 0, supported: true},
		{ttl: -1, shortest: NoTTL, supported: true},
	} {
		ttl, err := TTL(&store.WriteOptions{TTL: test.ttl}, test.shortest)
		if test.ok != (err == nil) || err == nil && ttl != test.ttl ||
			err != nil && test.supported == errors.Is(err, store.ErrTTLNotSupported) {
			t.Errorf("TTL %v, shortest %v: %v, %v", test.ttl, test.shortest, ttl, err)
		}
	}
	if ttl, err := TTL(nil, NoTTL); ttl != 0 || err != nil {
		t.Errorf("no options: %v, %v", ttl, err)
	}
}

func TestWrittenValueIsACopyAndNotNil(t *testing.T) {
	s := &Store{Name: "test"}
	value := []byte("first")
	_, pair, err := s.AtomicPut(t.Context(), "key", value, nil, func(copied []byte, _ time.Duration) (uint64, error) {
		value[0] = 'F'
		return 7, nil
	})
	if err != nil || string(pair.Value) != "first" || pair.LastIndex != 7 || pair.Key != "key" {
		t.Errorf("%v, %v", pair, err)
	}
	_, pair, err = s.AtomicPut(t.Context(), "key", nil, nil, func(copied []byte, _ time.Duration) (uint64, error) {
		if copied == nil {
			t.Error("write got nil")
		}
		return 8, nil
	})
	if err != nil || pair.Value == nil {
		t.Errorf("%v, %v", pair, err)
	}
}

func TestListHasOnlyLongerKeys(t *testing.T) {
	s := &Store{Name: "test"}
	list := func(keys ...string) func() ([]*store.KVPair, error) {
		return func() (pairs []*store.KVPair, err error) {
			for _, key := range keys {
				pairs = append(pairs, &store.KVPair{Key: key})
			}
			return pairs, nil
		}
	}
	pairs, err := s.List(t.Context(), "job", list("job", "jobs", "jo", "job/1"))
	if err != nil || len(pairs) != 2 || pairs[0].Key != "jobs" || pairs[1].Key != "job/1" {
		t.Errorf("%v, %v", pairs, err)
	}
	if pairs, err := s.List(t.Context(), "job", list("job")); !errors.Is(err, store.ErrKeyNotFound) || pairs != nil {
		t.Errorf("%v, %v; want ErrKeyNotFound", pairs, err)
	}
}

func TestErrorIsExplainedOnce(t *testing.T) {
	cause := errors.New("broken")
	s := &Store{Name: "test", Explain: func(_ context.Context, err error) error {
		return errors.Join(err, errors.New("and why"))
	}}
	_, err := s.Get(t.Context(), "key", func() (*store.KVPair, error) { return nil, cause })
	if !errors.Is(err, cause) || strings.Count(err.Error(), "and why") != 1 {
		t.Errorf("%v", err)
	}
}

func TestAwaitReturnsWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		hang := make(chan struct{})
		defer close(hang)
		began := time.Now()
		_, err := Await(ctx, func() (int, error) { <-hang; return 1, nil })
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != time.Second {
			t.Errorf("%v after %v", err, took)
		}
		if _, err := Await(ctx, func() (int, error) { t.Error("called"); return 1, nil }); err == nil {
			t.Error("no error")
		}
	})
}

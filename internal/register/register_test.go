package register

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/seed-a1d591d3/leadership/internal/standin"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errUnsafe = errors.New("unsafe")

func newTest(kv store.Store) *Register {
	return New(Config{Place: Place{kv, "service/x", "test"}, Timeout: 5 * time.Second, Unsafe: errUnsafe})
}

// fresh has a new value written each time, and keeps what it was given.
type fresh struct {
	mu      sync.Mutex
	writes  int
	found   []string
	earlier []Earlier
}

func (f *fresh) change(found *store.KVPair, earlier Earlier) (Change, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	value := "none"
	if found != nil {
		value = string(found.Value)
	}
	f.found, f.earlier = append(f.found, value), append(f.earlier, earlier)
	f.writes++
	return Write(fmt.Append(nil, "value ", f.writes)), nil
}

func TestUpdateWritesWhatItIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := faultstore.New(memory.New())
		r := newTest(kv)
		var f fresh
		for i := range 3 {
			pair, err := r.Update(t.Context(), f.change)
			if err != nil || string(pair.Value) != fmt.Sprint("value ", i+1) {
				t.Fatal(pair, err)
			}
		}
		if got := fmt.Sprint(f.found); got != "[none value 1 value 2]" {
			t.Errorf("found %s", got)
		}
		if gets, puts := kv.Calls(faultstore.OpGet), kv.Calls(faultstore.OpAtomicPut); gets != 4 || puts != 3 { // one to prove the store
			t.Errorf("%d reads, %d writes", gets, puts)
		}
		if _, err := r.Update(t.Context(), func(*store.KVPair, Earlier) (Change, error) { return Delete, nil }); err != nil {
			t.Error(err)
		}
		if pair, err := r.Read(t.Context()); pair != nil || err != nil {
			t.Errorf("%v, %v", pair, err)
		}
		no := errors.New("no")
		if _, err := r.Update(t.Context(), func(*store.KVPair, Earlier) (Change, error) { return Write(nil), no }); !errors.Is(err, no) {
			t.Errorf("an error of the change: %v", err)
		}
	})
}

func TestWriteWithoutAReplyIsWrittenOnceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := faultstore.New(memory.New(), faultstore.WithPlan(func(c faultstore.Call) faultstore.Fault {
			return faultstore.Fault{LoseReply: c.Op == faultstore.OpAtomicPut && c.Seq == 1}
		}))
		var f fresh
		pair, err := newTest(kv).Update(t.Context(), f.change)
		if err != nil || string(pair.Value) != "value 2" || fmt.Sprint(f.found, f.earlier) != fmt.Sprint("[none value 1] ", []Earlier{None, Unknown}) {
			t.Errorf("%v, %v; found %v, earlier %v", pair, err, f.found, f.earlier)
		}
	})
}

func TestNothingButAnAcknowledgedWriteCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := faultstore.New(memory.New(), faultstore.WithPlan(faultstore.Always(faultstore.Fault{LoseReply: true}, faultstore.OpAtomicPut)))
		var f fresh
		if _, err := newTest(kv).Update(t.Context(), f.change); !errors.Is(err, faultstore.ErrInjected) {
			t.Errorf("got %v", err)
		}
		if n := kv.Calls(faultstore.OpAtomicPut); n != Tries {
			t.Errorf("%d writes", n)
		}
	})
}

func TestRefusalWithoutAChangeCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, refuse := range map[string]func(value []byte) (bool, *store.KVPair, error){
			"without an error": func([]byte) (bool, *store.KVPair, error) { return false, nil, nil },
			"with what was to be written": func(value []byte) (bool, *store.KVPair, error) {
				return false, &store.KVPair{Key: "service/x", Value: value, LastIndex: 1}, nil
			},
			"without a pair": func([]byte) (bool, *store.KVPair, error) { return true, nil, nil },
			"with an error":  func([]byte) (bool, *store.KVPair, error) { return false, nil, store.ErrKeyModified },
		} {
			inner := memory.New()
			kv := &standin.Store{Store: inner}
			r := newTest(kv) // its store has shown that its indexes hold
			if _, err := r.Update(t.Context(), new(fresh).change); err != nil {
				t.Fatal(err)
			}
			puts := 0
			kv.OnPut = func(_ context.Context, _ string, value []byte, _ *store.KVPair) (bool, *store.KVPair, error) {
				puts++
				return refuse(value)
			}
			if _, err := r.Update(t.Context(), new(fresh).change); !errors.Is(err, store.ErrKeyModified) || puts != Tries {
				t.Errorf("%s: %v after %d writes", name, err, puts)
			}
		}
	})
}

func TestWriteIsTriedAgainAsOftenAsOthersComeFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := memory.New()
		others := 20
		kv := &standin.Store{Store: inner}
		kv.OnPut = func(_ context.Context, _ string, value []byte, previous *store.KVPair) (bool, *store.KVPair, error) {
			if others > 0 {
				others--
				if err := inner.Put(t.Context(), "service/x", fmt.Append(nil, "other ", others), nil); err != nil {
					t.Error(err)
				}
			}
			return inner.AtomicPut(t.Context(), "service/x", value, previous, nil)
		}
		var f fresh
		began := time.Now()
		pair, err := newTest(kv).Update(t.Context(), f.change)
		if err != nil || f.writes != 21 || string(pair.Value) != "value 21" {
			t.Errorf("%v, %v after %d writes", pair, err, f.writes)
		}
		if took := time.Since(began); took > 20*Pause || took == 0 {
			t.Errorf("took %v", took)
		}
	})
}

func TestUpdateEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := memory.New()
		kv := &standin.Store{Store: inner}
		n := 0
		kv.OnPut = func(context.Context, string, []byte, *store.KVPair) (bool, *store.KVPair, error) { // others come first, always
			n++
			_ = inner.Put(t.Context(), "service/x", fmt.Append(nil, "other ", n), nil)
			return false, nil, store.ErrKeyModified
		}
		why := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, why)
		defer cancel()
		if _, err := newTest(kv).Update(ctx, new(fresh).change); !errors.Is(err, why) || !errors.Is(err, store.ErrKeyModified) {
			t.Errorf("got %v", err)
		}
	})
}

func TestStoreIsCondemnedAfterTwoMismatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := memory.New()
		put := func(_ context.Context, _ string, value []byte, previous *store.KVPair) (bool, *store.KVPair, error) { // does not care
			if err := inner.Put(t.Context(), "service/x", value, nil); err != nil {
				return false, nil, err
			}
			pair, err := inner.Get(t.Context(), "service/x", nil)
			return true, pair, err
		}
		shows := func(context.Context, string) (*store.KVPair, error) {
			pair, err := inner.Get(t.Context(), "service/x", nil)
			if pair != nil {
				pair.LastIndex = 0
			}
			return pair, err
		}
		var f fresh
		r := newTest(&standin.Store{Store: inner, OnGet: shows, OnPut: put})
		if _, err := r.Update(t.Context(), f.change); !errors.Is(err, errUnsafe) || f.writes != 2 || !strings.Contains(err.Error(), "JSONCodec") {
			t.Errorf("%v after %d writes", err, f.writes)
		}
		if _, err := r.Update(t.Context(), f.change); !errors.Is(err, errUnsafe) || f.writes != 3 {
			t.Errorf("again: %v after %d writes", err, f.writes)
		}

		f = fresh{}
		r = newTest(&standin.Store{Store: inner, OnGet: shows, OnPut: func(ctx context.Context, key string, value []byte, previous *store.KVPair) (bool, *store.KVPair, error) {
			ok, pair, err := put(ctx, key, value, previous)
			pair.Value = nil
			return ok, pair, err
		}})
		if _, err := r.Update(t.Context(), f.change); !errors.Is(err, errUnsafe) {
			t.Errorf("one that returns no value: %v", err)
		}

		// One that cares refuses the write that was to dispel the doubt.
		f, inner = fresh{}, memory.New()
		r = newTest(&standin.Store{Store: inner, OnGet: shows})
		if _, err := r.Update(t.Context(), f.change); !errors.Is(err, errUnsafe) {
			t.Errorf("one that compares: %v", err)
		}
	})
}

func TestStoreIsNotCondemnedForOneMismatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := memory.New()
		gets := 0
		kv := &standin.Store{Store: inner, OnGet: func(context.Context, string) (*store.KVPair, error) {
			if gets++; gets == 2 { // somebody writes the same value again
				pair, _ := inner.Get(t.Context(), "service/x", nil)
				_ = inner.Put(t.Context(), "service/x", pair.Value, nil)
			}
			return inner.Get(t.Context(), "service/x", nil)
		}}
		var f fresh
		if pair, err := newTest(kv).Update(t.Context(), f.change); err != nil || string(pair.Value) != "value 2" {
			t.Errorf("%v, %v", pair, err)
		}
	})
}

func TestWriteThatIsOvertakenBeforeItsProofIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := memory.New()
		gets := 0
		kv := &standin.Store{Store: inner, OnGet: func(context.Context, string) (*store.KVPair, error) {
			if gets++; gets == 2 {
				_ = inner.Put(t.Context(), "service/x", []byte("another's"), nil)
			}
			return inner.Get(t.Context(), "service/x", nil)
		}}
		var f fresh
		if _, err := newTest(kv).Update(t.Context(), f.change); err != nil || fmt.Sprint(f.earlier) != fmt.Sprint([]Earlier{None, Overtaken}) {
			t.Errorf("%v, earlier %v", err, f.earlier)
		}
	})
}

func TestUpdateFromSparesTheRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := faultstore.New(memory.New())
		r := newTest(kv)
		var f fresh
		if _, err := r.UpdateFrom(t.Context(), nil, f.change); err != nil || kv.Calls(faultstore.OpGet) != 1 { // for the proof
			t.Errorf("%v after %d reads", err, kv.Calls(faultstore.OpGet))
		}
		pair, err := r.UpdateFrom(t.Context(), nil, f.change) // a wrong one
		if err != nil || string(pair.Value) != "value 3" || fmt.Sprint(f.found) != "[none none value 1]" {
			t.Errorf("%v, %v; found %v", pair, err, f.found)
		}
	})
}

// refusing refuses deletions without an error.
type refusing struct{ store.Store }

func (refusing) AtomicDelete(context.Context, string, *store.KVPair) (bool, error) { return false, nil }

func TestDeletionThatIsRefusedWithoutAnErrorIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTest(refusing{memory.New()})
		if _, err := r.Update(t.Context(), new(fresh).change); err != nil {
			t.Fatal(err)
		}
		_, err := r.Update(t.Context(), func(*store.KVPair, Earlier) (Change, error) { return Delete, nil })
		if pair, _ := r.Read(t.Context()); !errors.Is(err, store.ErrKeyModified) || pair == nil {
			t.Errorf("deleted, with %v, and there is %v", err, pair)
		}
	})
}

func TestDeletionWithoutAReplyIsLookedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := faultstore.New(memory.New())
		r := newTest(kv)
		if _, err := r.Update(t.Context(), new(fresh).change); err != nil {
			t.Fatal(err)
		}
		kv.SetPlan(faultstore.Always(faultstore.Fault{LoseReply: true}, faultstore.OpAtomicDelete))
		gone := false
		_, err := r.Update(t.Context(), func(found *store.KVPair, earlier Earlier) (Change, error) {
			if gone = found == nil && earlier == Unknown; gone {
				return Leave, nil
			}
			return Delete, nil
		})
		if err != nil || !gone {
			t.Errorf("%v, gone: %v", err, gone)
		}
	})
}

// What is read and not told would have a rival wait for longer, or a holder go on.
func TestUpdateTellsAllThatItReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := faultstore.New(memory.New(), faultstore.WithPlan(func(c faultstore.Call) faultstore.Fault {
			return faultstore.Fault{LoseReply: c.Op == faultstore.OpAtomicPut}
		}))
		var f fresh
		_, _ = newTest(kv).Update(t.Context(), f.change)
		if reads := kv.Calls(faultstore.OpGet); reads != len(f.found) {
			t.Errorf("%d reads, and %d were told: %v", reads, len(f.found), f.found)
		}
	})
}

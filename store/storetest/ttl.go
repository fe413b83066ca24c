package storetest

import (
	"errors"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

var ttlChecks = []check{
	{name: "KeyExpiresInTime", needs: ttl, test: ttlExpires},
	{name: "RewriteWithoutTTLClearsIt", needs: ttl, test: ttlCleared},
	{name: "RewriteWithTTLRenewsIt", needs: ttl, test: ttlRenewed},
	{name: "SwapSetsIt", needs: ttl, test: ttlSwap},
	{name: "ExpiredKeyIsMissing", needs: ttl, test: ttlGone},
	{name: "ShortestIsTaken", needs: ttl, test: ttlShortest},
	{name: "ShorterIsRefused", needs: longTTL, test: ttlShorter},
	{name: "AnyIsRefused", needs: noTTL, test: ttlAny},
	{name: "NegativeIsRefused", test: ttlNegative},
}

// early allows for clocks that tick in milliseconds.
const early = 3 * time.Millisecond

// life is a TTL that the store supports, and that leaves time to read.
func (tr *trial) life() time.Duration { return max(tr.can.TTL, 200*time.Millisecond) }

// wantExpiry wants key to exist for ttl after a write that was made between these times,
// and to be deleted in time after that.
func (c *client) wantExpiry(key string, ttl time.Duration, began, ended time.Time) {
	c.tr.Helper()
	for {
		asked := time.Now()
		_, err := c.Get(c.tr.soon(), key, nil)
		switch answered := time.Now(); {
		case err != nil && !errors.Is(err, store.ErrKeyNotFound):
			c.tr.Fatalf("Get: %v", err)
		case err != nil && answered.Before(began.Add(ttl-early)):
			c.tr.Fatalf("the key was gone %v after a write with a TTL of %v", answered.Sub(began), ttl)
		case err != nil:
			return
		case asked.After(ended.Add(ttl + c.tr.can.Expiry)):
			c.tr.Fatalf("the key was there %v after a write with a TTL of %v, want %v at most", asked.Sub(ended), ttl, ttl+c.tr.can.Expiry)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func ttlExpires(tr *trial) {
	kv := tr.client()
	for _, key := range []string{tr.base + "/short", tr.base + "/long"} {
		ttl := tr.life()
		if key == tr.base+"/long" {
			ttl += ttl / 2
		}
		began := time.Now()
		kv.write(key, "a", nil, ttl)
		kv.wantExpiry(key, ttl, began, time.Now())
	}
}

func ttlCleared(tr *trial) {
	kv := tr.client()
	pair, ttl, _ := kv.rewrite(tr.base, 0, false)
	time.Sleep(ttl + tr.can.Expiry)
	kv.wantPair(pair)
}

func ttlRenewed(tr *trial) {
	kv := tr.client()
	pair, ttl, began := kv.rewrite(tr.base, tr.life()/2, true)
	kv.wantExpiry(pair.Key, ttl, began, time.Now())
}

// rewrite writes a key with a TTL and, later, once more: with the TTL again, or without
// one. It returns the pair as written, the TTL, and when the second write began. If that
// came too late it tries a longer TTL.
func (c *client) rewrite(base string, wait time.Duration, again bool) (*store.KVPair, time.Duration, time.Time) {
	c.tr.Helper()
	for ttl := c.tr.life(); ; ttl *= 2 {
		key := base + "/" + ttl.String()
		began := time.Now()
		pair := c.write(key, "a", nil, ttl)
		time.Sleep(wait)
		opts, rewrite := &store.WriteOptions{}, time.Now()
		if again {
			opts.TTL = ttl
		}
		ok, pair, err := c.AtomicPut(c.tr.soon(), key, []byte("b"), pair, opts)
		if ok && err == nil {
			return pair, ttl, rewrite
		}
		if took := time.Since(began); took < ttl-early || ttl > time.Minute {
			c.tr.Fatalf("AtomicPut = %v, %v, %v after a write with a TTL of %v", ok, err, took, ttl)
		}
	}
}

func ttlSwap(tr *trial) {
	kv := tr.client()
	pair := kv.create(tr.base, "a")
	began := time.Now()
	kv.write(tr.base, "b", pair, tr.life())
	kv.wantExpiry(tr.base, tr.life(), began, time.Now())
}

// ttlGone: to all calls a key that has expired is like one that was deleted.
func ttlGone(tr *trial) {
	kv, other := tr.client(), tr.client()
	pair := kv.write(tr.base, "a", nil, tr.life())
	time.Sleep(tr.life() + tr.can.Expiry)
	kv.wantRefused(tr.base, pair, gone...)
	kv.wantKept(tr.base, pair, gone...)
	kv.wantList(tr.base[:len(tr.base)-1])
	other.wantMissing(tr.base)
	kv.wantMany(other, nil, tr.base)
	again := other.create(tr.base, "b")
	if !tr.can.IndexRestarts {
		kv.wantRefused(tr.base, pair, store.ErrKeyModified)
	}
	// The new key has not inherited anything.
	time.Sleep(tr.life() / 2)
	kv.wantPair(again)
}

func ttlShortest(tr *trial) {
	kv := tr.client()
	ok, _, err := kv.AtomicPut(tr.soon(), tr.base, []byte("a"), nil, &store.WriteOptions{TTL: tr.can.TTL})
	if err != nil || !ok {
		tr.Fatalf("AtomicPut with a TTL of %v = %v, %v", tr.can.TTL, ok, err)
	}
	time.Sleep(tr.can.TTL + tr.can.Expiry)
	kv.wantMissing(tr.base)
}

func ttlShorter(tr *trial) {
	tr.wantTTLRefused(1, tr.can.TTL/2, tr.can.TTL-1)
}

func ttlAny(tr *trial) {
	tr.wantTTLRefused(1, time.Millisecond, time.Second, time.Hour)
}

// wantTTLRefused wants the store to refuse these TTLs, and to write nothing.
func (tr *trial) wantTTLRefused(ttls ...time.Duration) {
	tr.Helper()
	kv := tr.client()
	pair := kv.create(tr.base+"/a", "a")
	for _, ttl := range ttls {
		_, _, err := kv.AtomicPut(tr.soon(), tr.base+"/new", []byte("bad"), nil, &store.WriteOptions{TTL: ttl})
		if !errors.Is(err, store.ErrTTLNotSupported) {
			tr.Errorf("create with a TTL of %v: %v; want ErrTTLNotSupported", ttl, err)
		}
		_, _, err = kv.AtomicPut(tr.soon(), tr.base+"/a", []byte("bad"), pair, &store.WriteOptions{TTL: ttl})
		if !errors.Is(err, store.ErrTTLNotSupported) {
			tr.Errorf("swap with a TTL of %v: %v; want ErrTTLNotSupported", ttl, err)
		}
		kv.wantMissing(tr.base + "/new")
		kv.wantPair(pair)
	}
}

func ttlNegative(tr *trial) {
	kv := tr.client()
	pair := kv.create(tr.base+"/a", "a")
	for _, ttl := range []time.Duration{-1, -time.Millisecond, -time.Second, -time.Hour} {
		for key, previous := range map[string]*store.KVPair{tr.base + "/new": nil, tr.base + "/a": pair} {
			ok, _, err := kv.AtomicPut(tr.soon(), key, []byte("bad"), previous, &store.WriteOptions{TTL: ttl})
			if ok || err == nil || isAny(err, refusals...) {
				tr.Errorf("AtomicPut with a TTL of %v = %v, %v; want an error that says so", ttl, ok, err)
			}
		}
		kv.wantMissing(tr.base + "/new")
		kv.wantPair(pair)
	}
}

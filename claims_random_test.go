package leadership

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// claimsSeed repeats one run of TestHoldersNeverTrustAtOnce.
var claimsSeed = flag.Uint64("claims.seed", 0, "the one seed of TestHoldersNeverTrustAtOnce, and of that with riders, to run")

// parish is a number of holders that are served by servers in turn, and real
// candidates, all over one store with faults. It checks that never two of them
// trust at once.
type parish struct {
	t     *testing.T
	seed  uint64
	rides bool // the candidates' terms ride on sessions

	mu        sync.Mutex
	until     map[string]time.Time // when the trust of each holder ends
	tokens    map[string]uint64
	highest   uint64
	terms     int
	forgotten int
	led       map[uint64]bool // tokens of candidates that were seen to lead
	all       []*Candidate
}

// check looks who trusts now.
func (p *parish) check() {
	p.mu.Lock()
	defer p.mu.Unlock()
	var leaders []string
	now := time.Now()
	for who, until := range p.until {
		if now.Before(until) {
			leaders = append(leaders, fmt.Sprintf("holder %s (token %d)", who, p.tokens[who]))
		}
	}
	for i, c := range p.all {
		if term, ok := c.Term(); ok {
			p.led[term.Token] = true
			leaders = append(leaders, fmt.Sprintf("candidate %d (token %d)", i, term.Token))
		}
	}
	if len(leaders) > 1 {
		p.t.Errorf("seed %d: %v trust at once at %v; run it again with -claims.seed=%[1]d", p.seed, leaders, now)
	}
}

// granted takes note of an answer. In this process nothing comes between the
// answer and its reader: so the trust is counted from then, and any less of it
// taken off at the server shows.
func (p *parish) granted(who string, got Claimed, began time.Time) {
	p.mu.Lock()
	now := time.Now()
	end := now.Add(got.Trust)
	if latest := began.Add(got.Term.TTL * 4 / 5); end.After(latest) {
		p.t.Errorf("seed %d: %s may trust until %v, and at most until %v", p.seed, who, end, latest)
	}
	led := now.Before(p.until[who])
	if led && p.tokens[who] == got.Term.Token {
		if end.After(p.until[who]) {
			p.until[who] = end
		}
	} else {
		if got.Term.Token <= p.highest && got.Term.Token != p.tokens[who] {
			p.t.Errorf("seed %d: %s got token %d after %d", p.seed, who, got.Term.Token, p.highest)
		}
		p.until[who], p.tokens[who] = end, got.Term.Token
		p.terms++
	}
	p.highest = max(p.highest, got.Term.Token)
	p.mu.Unlock()
	p.check()
}

func (p *parish) ends(who string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.until, who)
}

// hold has one holder ask, now at one server and then at another, resign and
// crash.
func (p *parish) hold(ctx context.Context, who string, servers func(n int) *Claims, dice *rand.Rand) {
	ttl := []time.Duration{200 * time.Millisecond, 500 * time.Millisecond, time.Second}[dice.IntN(3)]
	instance, token := "", uint64(0)
	for ctx.Err() == nil {
		by := Claim{Node: who, Instance: instance, TTL: ttl}
		if dice.IntN(2) == 0 && instance != "" {
			by.Token = token
		}
		if dice.IntN(10) == 0 {
			by.TTL /= 2
		}
		waiting := 1 + dice.IntN(2)
		answers := make(chan struct{}, waiting)
		for range waiting { // at times it asks two servers at once
			server := servers(dice.IntN(1 << 20))
			go func() {
				defer func() { answers <- struct{}{} }()
				began := time.Now()
				got, err := server.Claim(ctx, by)
				if err == nil && got.Won {
					p.granted(who, got, began)
					p.mu.Lock()
					instance, token = got.Instance, got.Term.Token
					p.mu.Unlock()
				}
			}()
		}
		for range waiting {
			<-answers
		}
		switch roll := dice.IntN(40); {
		case roll == 0: // its work has ended
			p.ends(who)
			if instance != "" {
				_ = servers(dice.IntN(1<<20)).Resign(ctx, instance, token*dice.Uint64N(2), 0)
			}
		case roll == 1: // it crashes, and is another one from now on
			p.ends(who)
			instance, token = "", 0
			time.Sleep(time.Duration(dice.IntN(int(2 * ttl))))
		case roll < 5:
			time.Sleep(time.Duration(dice.IntN(int(2 * ttl))))
		}
		time.Sleep(time.Duration(dice.IntN(int(ttl / 3))))
	}
}

// run is one run of a seed.
func (p *parish) run(ctx context.Context) {
	dice := rand.New(rand.NewPCG(p.seed, 1))
	shared := memory.New()
	rates := faultstore.Rates{
		Fail: dice.Float64() / 10, LoseReply: dice.Float64() / 4, Before: dice.Float64() / 2, After: dice.Float64() / 2,
		IgnoreContext: dice.Float64() / 10, MaxDelay: 300 * time.Millisecond,
	}
	var mu sync.Mutex
	links := make([]*faultstore.Store, 5)
	servers := make([]*Claims, 3)
	for i := range links {
		links[i] = faultstore.New(shared, faultstore.WithPlan(faultstore.Random(dice.Uint64(), rates)))
		if i < len(servers) {
			servers[i] = NewClaims(links[i], key)
		} else {
			opts := []Option{WithPriority(i - 3)}
			if p.rides {
				opts = append(opts, WithSession(NewSession(links[i], "service/", fmt.Sprint("candidate-", i), 300*time.Millisecond)))
			}
			c := NewCandidate(links[i], key, fmt.Sprint("candidate-", i), 300*time.Millisecond, opts...)
			p.all = append(p.all, c)
			c.RunForElection(ctx)
		}
	}
	pick := func(n int) *Claims {
		mu.Lock()
		defer mu.Unlock()
		if n%97 == 0 { // a server is restarted, and has seen nothing
			servers[n%3] = NewClaims(links[n%3], key)
		}
		return servers[n%3]
	}
	for i, who := range []string{"a", "b", "c"} {
		own := rand.New(rand.NewPCG(p.seed, uint64(i)+2))
		go p.hold(ctx, who, pick, own)
	}
	end := time.Now().Add(30 * time.Second)
	for time.Now().Before(end) && !p.t.Failed() {
		time.Sleep(time.Duration(1 + dice.IntN(int(4*time.Millisecond))))
		synctest.Wait()
		p.check()
		if dice.IntN(1000) == 0 {
			r := []Request{{Action: Resign}, {Action: Transfer, To: "b", Hold: 300 * time.Millisecond}, {Action: Pause, Keep: dice.IntN(2) == 0}, {Action: Resume}, {Action: Resume}}[dice.IntN(5)]
			if r.check() == nil {
				_, _ = r.write(ctx, shared, key)
			}
		}
		if dice.IntN(500) == 0 {
			p.all[dice.IntN(len(p.all))].Resign()
		}
		if p.rides {
			p.disturb(ctx, shared, links[3:], dice)
		}
	}
	for _, l := range links {
		_ = l.Close()
	}
}

// disturb cuts candidates off from the store, deletes their sessions, and forgets the election.
func (p *parish) disturb(ctx context.Context, kv *memory.Store, links []*faultstore.Store, dice *rand.Rand) {
	switch dice.IntN(4000) {
	case 0, 1, 2:
		link := links[dice.IntN(len(links))]
		link.Partition()
		time.AfterFunc(time.Duration(dice.IntN(int(time.Second))), link.Heal)
	case 3:
		if pair, err := kv.Get(ctx, key, nil); err == nil {
			if session := parsed(pair, nil).rec.Session; session != "" {
				_ = kv.Delete(ctx, "service/"+session)
			}
		}
	case 4, 5:
		go func() { p.forget(ctx, kv) }()
	}
}

func (p *parish) forget(ctx context.Context, kv store.Store) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if Forget(ctx, kv, key) == nil {
		p.mu.Lock()
		p.forgotten++
		p.mu.Unlock()
	}
}

// Whatever the store does to whom, at no time do two holders trust their terms,
// nor a holder and a candidate.
func TestHoldersNeverTrustAtOnce(t *testing.T) { neverAtOnce(t, false) }

// Nor a holder and a candidate whose term rides on a session.
func TestHoldersAndRidersNeverTrustAtOnce(t *testing.T) { neverAtOnce(t, true) }

func neverAtOnce(t *testing.T, rides bool) {
	first, last := uint64(1), uint64(8)
	if *claimsSeed != 0 {
		first, last = *claimsSeed, *claimsSeed
	}
	terms, forgotten, led := 0, 0, 0
	for seed := first; seed <= last && !t.Failed(); seed++ {
		inVirtualTime(t, func(t *testing.T, ctx context.Context) {
			p := &parish{t: t, seed: seed, rides: rides, led: make(map[uint64]bool), until: make(map[string]time.Time), tokens: make(map[string]uint64)}
			p.run(ctx)
			terms, forgotten, led = terms+p.terms, forgotten+p.forgotten, led+len(p.led)
		})
	}
	t.Logf("seeds %d to %d: holders led %d terms, candidates %d, the election was forgotten %d times", first, last, terms, led, forgotten)
	if n := int(last - first + 1); terms < n || led < n {
		t.Errorf("holders led %d terms in all, candidates %d", terms, led)
	}
}

package sim

import (
	"fmt"
	"strings"

	leadership "github.com/seed-a1d591d3/leadership"
)

// by is the claim to make now: a renewal names its token.
func (p *process) by(c *chance) leadership.Claim {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.instance == "" {
		p.made++
		p.instance = fmt.Sprintf("%s-%d-instance-of-it", p.who.name, p.made)
		p.beat, p.loose = 0, 0
	}
	by := leadership.Claim{Node: p.node, Instance: p.instance, TTL: p.ttl}
	if p.leads && !c.p(0.1) {
		by.Token, by.Beat = p.term.Token, p.beat
	}
	return by
}

// asking notes that n claims are sent, and returns the number of that.
func (p *process) asking(by leadership.Claim, n int) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.number++
	p.beat = 0
	if by.Beat == 0 {
		p.loose += n
	}
	return p.number
}

// knows notes the beat of an answer, if the next claim may name it. It reports whether
// the answer counts: that of a claim by a beat which is not the last one may only tell
// of a later claim of its own.
func (p *process) knows(by leadership.Claim, number uint64, n int, got leadership.Claimed, err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if by.Instance != p.instance {
		return true
	}
	copied := by.Beat != 0 && err != nil && strings.Contains(err.Error(), "another process renews")
	if by.Beat == 0 && err == nil {
		p.loose--
	}
	if number != p.number {
		return !copied
	}
	if p.loose == 0 && n == 1 && err == nil && got.Won {
		p.beat = got.Beat
	}
	if copied {
		panic("a holder without a copy is told that it has one: " + p.who.name)
	}
	return true
}

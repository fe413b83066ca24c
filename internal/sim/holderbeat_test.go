package sim

import (
	"errors"
	"fmt"

	leadership "github.com/seed-a1d591d3/leadership"
)

// beats is what a process knows of the beats of its instance.
type beats struct {
	won    uint64 // of the last claim that was won; 0 if that is not known
	next   uint64 // what the next claim names
	number uint64 // of the last claim
	doubt  bool   // a claim that named next may not have been answered
	loose  int    // claims that named none, and are unanswered: each may yet renew
}

// by is the claim to make now: a renewal names its token.
func (p *process) by(c *chance) leadership.Claim {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.instance == "" {
		p.made++
		p.instance = fmt.Sprintf("%s-%d-instance-of-it", p.who.name, p.made)
		p.beats = beats{}
	}
	by := leadership.Claim{Node: p.node, Instance: p.instance, TTL: p.ttl}
	if p.leads && !c.p(0.1) {
		by.Token = p.term.Token
		if p.made%2 == 0 { // as one that knows of beats
			by.Beat = p.beats.next
		}
	}
	return by
}

// asking notes that n claims are sent. It returns the number of that, and whether an
// earlier claim may have renewed since their beat.
func (b *beats) asking(by leadership.Claim, n int) (number uint64, doubted bool) {
	doubted = b.doubt
	b.number++
	if by.Beat == 0 {
		b.loose += n
	} else {
		b.doubt = true // until it is answered
	}
	return b.number, doubted
}

// knows notes the beat of an answer. It reports whether the answer counts: to be told of
// a renewal since tells a process without a copy of an unanswered claim of its own.
func (p *process) knows(by leadership.Claim, number uint64, doubted bool, got leadership.Claimed, err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if by.Instance != p.instance {
		return true
	}
	b := &p.beats
	renewed := errors.Is(err, leadership.ErrLost) && got.Beat != 0
	if by.Beat == 0 && err == nil && number == b.number { // or else its beat is not known
		b.loose--
	}
	switch {
	case number != b.number: // it has asked again
	case err == nil && got.Won:
		b.won = max(b.won, got.Beat)
		b.next, b.doubt = b.won, false
	case renewed && !doubted && b.loose == 0:
		p.w.violate("copies", "%s is told that it has a copy", p.who.name)
	case renewed && !doubted:
		b.loose--
		fallthrough
	case renewed:
		b.next = got.Beat
	}
	return !renewed
}

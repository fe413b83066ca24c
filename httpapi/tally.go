package httpapi

import (
	"maps"
	"slices"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/view"
)

const (
	// maxPast is how many terms of an election are remembered.
	maxPast = 20

	// unknownReason is that of a term whose end nobody has told: the record went
	// on by more than one term between two looks.
	unknownReason = "unknown"
)

// pastView is a term of an election in JSON, the present one among them.
type pastView struct {
	Leader string    `json:"leader"`
	Token  uint64    `json:"token"`
	Since  time.Time `json:"since,omitzero"` // by the leader's clock; not known of those before our time
	Until  time.Time `json:"until,omitzero"` // by this server's clock
	Reason string    `json:"reason,omitempty"`
}

// tally is what has become of an election for as long as it has been looked at.
// It is pure: times are readings of the owner's clock, which must have a monotonic
// part, and do not go back. The zero value knows nothing.
type tally struct {
	known    bool
	view     view.Election
	beat     uint64
	free     time.Time // when the seat can be taken, unless its record changes
	high     uint64    // the highest token seen
	past     []pastView
	begun    uint64
	ended    map[string]uint64 // by reason
	renewals uint64
	inTerm   uint64 // renewals of the present one

	empty  time.Time     // since when nobody has led; zero while somebody does
	vacant time.Duration // how long nobody has led, before that

	asking bool      // a look at the store is under way, or what it found is to be seen
	failed bool      // the latest look
	blind  time.Time // since when it is not known who leads; zero while it is
}

// see takes in how the election stands at now. Terms that were there before the
// first look are told of and not counted, unless the election is new.
func (t *tally) see(s leadership.Standing, now time.Time, isNew bool) {
	before := t.view
	t.view = view.OfElection(s)
	t.view.FreeIn = 0
	if len(s.Term.Payload) > maxTold {
		t.view.Payload, t.view.Base64, t.view.Omitted = nil, nil, true
	}
	t.free = now.Add(s.Left)
	counts := t.known || isNew
	held := t.view.Leader != ""
	if held && t.known && before.Leader != "" && before.Token == t.view.Token && t.beat != s.Beat {
		t.renewals++
		t.inTerm++
	}
	if before.Token != t.view.Token {
		t.inTerm = 0
	}
	t.beat = s.Beat
	last := t.view.Last
	if open := t.open(); open != nil && (held && open.Token != t.view.Token || !held && last != nil) {
		reason := unknownReason
		if last != nil && last.Token == open.Token {
			reason = last.Reason
		}
		open.Until, open.Reason = now, reason
		if !t.empty.IsZero() {
			open.Until = t.empty
		}
		t.count(reason)
	}
	if last != nil && last.Token > t.high {
		t.begin(pastView{Leader: last.Leader, Token: last.Token, Reason: last.Reason}, counts)
		if counts {
			t.count(last.Reason)
		}
	}
	if held && t.view.Token > t.high {
		t.begin(pastView{Leader: t.view.Leader, Token: t.view.Token, Since: t.view.Since}, counts)
	}
	t.known, t.asking, t.failed = true, false, false
	t.pass(now)
}

// open returns the term that has not ended, as far as is known, or nil.
func (t *tally) open() *pastView {
	if n := len(t.past); n > 0 && t.past[n-1].Reason == "" {
		return &t.past[n-1]
	}
	return nil
}

func (t *tally) begin(p pastView, counts bool) {
	t.past = append(t.past[max(len(t.past)-maxPast+1, 0):], p)
	t.high = p.Token
	if counts {
		t.begun++
	}
}

func (t *tally) count(reason string) {
	if t.ended == nil {
		t.ended = make(map[string]uint64)
	}
	t.ended[reason]++
}

// pass has time pass until now: a leader whose record stands unchanged for its TTL has
// expired. Where the store does not tell whether it stands so, it may be that
// somebody leads, and that time is not counted.
func (t *tally) pass(now time.Time) {
	leads := t.view.Leader != "" && now.Before(t.free)
	var regained time.Time
	switch {
	case !t.known:
		return
	case t.failed && !leads:
		if t.blind.IsZero() {
			t.blind = now
		}
		return
	case t.asking && !leads && t.empty.IsZero() && t.blind.IsZero():
		return // the look tells whether this leader has renewed its term
	case !t.blind.IsZero():
		if !t.empty.IsZero() {
			t.vacant -= now.Sub(t.blind)
		}
		t.blind, regained = time.Time{}, now
	}
	t.view.Expired = t.view.Leader != "" && !leads
	switch {
	case leads && !t.empty.IsZero():
		t.vacant += now.Sub(t.empty)
		t.empty = time.Time{}
	case !leads && t.empty.IsZero():
		t.empty = now
		if t.view.Expired && regained.IsZero() {
			t.empty = t.free
		}
	}
}

// trust is for how long after now the leader's record stands at most without
// being renewed.
func (t *tally) trust(now time.Time) time.Duration {
	if t.view.Leader == "" {
		return 0
	}
	return max(t.free.Sub(now), 0)
}

// kind is what has become of the election, as events tell it.
func (t *tally) kind() string {
	switch {
	case !t.blind.IsZero():
		return "unknown"
	case t.view.Leader == "":
		return "vacant"
	case t.view.Expired:
		return "expired"
	}
	return "leader"
}

// observed is how an election stands, and what has become of it since this
// process has looked at it first.
type observed struct {
	key      string
	leader   string // empty while nobody is heard of
	unknown  bool   // whether there is one
	paused   bool   // by an operator
	token    uint64 // of the present term, or of the last
	trust    time.Duration
	begun    uint64
	ended    map[string]uint64 // by reason
	renewals uint64
	vacant   time.Duration // without a leader, in all
}

func (t *tally) observed(now time.Time) observed {
	o := observed{
		key: t.view.Key, token: t.high, trust: t.trust(now), begun: t.begun,
		ended: maps.Clone(t.ended), renewals: t.renewals, vacant: t.vacant, unknown: !t.blind.IsZero(),
		paused: t.view.Asked != nil && t.view.Asked.Action == leadership.Pause,
	}
	if o.unknown {
		now = t.blind
	}
	switch {
	case !t.empty.IsZero():
		o.vacant += now.Sub(t.empty)
	case !o.unknown:
		o.leader = t.view.Leader
	}
	return o
}

// observedView is observed in JSON, for the stream of all elections.
type observedView struct {
	Type string    `json:"type"`
	At   time.Time `json:"at"` // by this server's clock
	view.Election
	Vacant   time.Time  `json:"vacant_since,omitzero"` // by this server's clock; while that is known
	Past     []pastView `json:"terms,omitempty"`       // the latest last
	Renewals uint64     `json:"renewals"`
}

func (t *tally) observedView(now time.Time) observedView {
	v := observedView{
		Type: t.kind(), At: now, Election: t.view, Vacant: t.empty,
		Past: slices.Clone(t.past), Renewals: t.inTerm,
	}
	v.FreeIn = view.Ceil(t.trust(now))
	if !t.blind.IsZero() {
		v.Vacant = time.Time{}
	}
	return v
}

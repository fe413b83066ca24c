package observe

import (
	"maps"
	"slices"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/view"
)

const (
	// maxPast is how many terms of an election are kept, maxTold how many its events tell.
	maxPast, maxTold = 50, 6

	// UnknownReason is that of a term whose end was not seen: the record went on by
	// more than one term between two looks.
	UnknownReason = "unknown"
)

// Past is a term of an election in JSON; the present one is among them.
type Past struct {
	Leader string    `json:"leader"`
	Token  uint64    `json:"token"`
	Since  time.Time `json:"since,omitzero"` // by the leader's clock; not known of terms before the first look
	Until  time.Time `json:"until,omitzero"` // by this server's clock
	Reason string    `json:"reason,omitempty"`
}

// history is what is known of an election since the first look at it. It is pure:
// times are readings of the owner's clock, which have a monotonic part and do not go
// back. The zero value knows nothing.
type history struct {
	known    bool
	view     view.Election
	beat     uint64
	free     time.Time // when the seat can be taken, unless its record changes
	latest   uint64    // the token of the latest term
	past     []Past
	begun    uint64
	ended    map[string]uint64 // by reason
	renewals uint64
	inTerm   uint64 // renewals of the present one

	empty  time.Time     // since when there is no leader; zero while there is one
	vacant time.Duration // how long there was none, before that

	asking bool      // a look at the store is under way
	failed bool      // the last one has failed
	blind  time.Time // since when it is not known who leads; zero while it is
}

// see notes the state of the election at now. Terms that began before the first look are
// kept but not counted, unless the election is new.
func (h *history) see(s leadership.Standing, now time.Time, isNew bool) {
	before := h.view
	h.view = view.OfElection(s)
	h.view.FreeIn = 0
	if len(s.Term.Payload) > maxPayload {
		h.view.Payload, h.view.Base64, h.view.Omitted = nil, nil, true
	}
	h.free = now.Add(s.Left)
	counts := h.known || isNew
	held := h.view.Leader != ""
	if held && h.known && before.Leader != "" && before.Token == h.view.Token && h.beat != s.Beat {
		h.renewals++
		h.inTerm++
	}
	if before.Token != h.view.Token {
		h.inTerm = 0
	}
	h.beat = s.Beat
	last := h.view.Last
	if open := h.open(); open != nil && (held && open.Token != h.view.Token || !held && last != nil) {
		reason := UnknownReason
		if last != nil && last.Token == open.Token {
			reason = last.Reason
		}
		open.Until, open.Reason = now, reason
		if !h.empty.IsZero() {
			open.Until = h.empty
		}
		h.count(reason)
	}
	if last != nil && last.Token > h.latest {
		h.begin(Past{Leader: last.Leader, Token: last.Token, Reason: last.Reason}, counts)
		if counts {
			h.count(last.Reason)
		}
	}
	// A store that has lost the record gives lower tokens again.
	if held && (h.view.Token > h.latest || !slices.ContainsFunc(h.past, func(p Past) bool { return p.Token == h.view.Token })) {
		h.begin(Past{Leader: h.view.Leader, Token: h.view.Token, Since: h.view.Since}, counts)
	}
	h.known, h.asking, h.failed = true, false, false
	h.pass(now)
}

// open returns the term that has not ended, as far as is known, or nil.
func (h *history) open() *Past {
	if n := len(h.past); n > 0 && h.past[n-1].Reason == "" {
		return &h.past[n-1]
	}
	return nil
}

func (h *history) begin(p Past, counts bool) {
	h.past = append(h.past[max(len(h.past)-maxPast+1, 0):], p)
	h.latest = p.Token
	if counts {
		h.begun++
	}
}

func (h *history) count(reason string) {
	if h.ended == nil {
		h.ended = make(map[string]uint64)
	}
	h.ended[reason]++
}

// pass lets time pass until now: a leader whose record was unchanged for its TTL has
// expired. While the store does not answer whether it is unchanged, there may be a
// leader, and that time is not counted.
func (h *history) pass(now time.Time) {
	leads := h.view.Leader != "" && now.Before(h.free)
	var regained time.Time
	switch {
	case !h.known:
		return
	case h.failed && !leads:
		if h.blind.IsZero() {
			h.blind = now
		}
		return
	case h.asking && !leads && h.empty.IsZero() && h.blind.IsZero():
		return // the look finds out whether this leader has renewed its term
	case !h.blind.IsZero():
		if !h.empty.IsZero() {
			h.vacant -= now.Sub(h.blind)
		}
		h.blind, regained = time.Time{}, now
	}
	h.view.Expired = h.view.Leader != "" && !leads
	switch {
	case leads && !h.empty.IsZero():
		h.vacant += now.Sub(h.empty)
		h.empty = time.Time{}
	case !leads && h.empty.IsZero():
		h.empty = now
		if h.view.Expired && regained.IsZero() {
			h.empty = h.free
		}
	}
}

// trust is how long after now the leader may still lead, if its term is not renewed.
func (h *history) trust(now time.Time) time.Duration {
	if h.view.Leader == "" {
		return 0
	}
	return max(h.free.Sub(now), 0)
}

// kind is the type of an event of the election now.
func (h *history) kind() string {
	switch {
	case !h.blind.IsZero():
		return "unknown"
	case h.view.Leader == "":
		return "vacant"
	case h.view.Expired:
		return "expired"
	}
	return "leader"
}

// Election is the state of an election for metrics, and what was counted since the first
// look at it.
type Election struct {
	Key      string
	Leader   string // empty while there is no known leader
	Unknown  bool   // it is not known whether there is a leader
	Paused   bool   // by an operator
	Known    int    // candidates that the record names: the leader, and those with a priority that wait
	Token    uint64 // of the present term, or of the last
	Trust    time.Duration
	Begun    uint64            // terms
	Ended    map[string]uint64 // terms, by reason
	Renewals uint64
	Vacant   time.Duration // without a leader, in all
}

func (h *history) election(now time.Time) Election {
	e := Election{
		Key: h.view.Key, Token: h.latest, Trust: h.trust(now), Begun: h.begun,
		Ended: maps.Clone(h.ended), Renewals: h.renewals, Vacant: h.vacant, Unknown: !h.blind.IsZero(),
		Paused: h.view.Asked != nil && h.view.Asked.Action == leadership.Pause,
	}
	e.Known = len(h.view.Waiting)
	if e.Unknown {
		now = h.blind
	}
	switch {
	case !h.empty.IsZero():
		e.Vacant += now.Sub(h.empty)
	case !e.Unknown:
		e.Leader = h.view.Leader
		e.Known++
	}
	return e
}

// allView is an event of an election in JSON, for the readers of all elections.
type allView struct {
	Type string    `json:"type"`
	At   time.Time `json:"at"` // by this server's clock
	view.Election
	Vacant   time.Time `json:"vacant_since,omitzero"` // by this server's clock; while that is known
	Past     []Past    `json:"terms,omitempty"`       // maxTold at most, the latest last
	Earlier  int       `json:"earlier_terms,omitempty"`
	Renewals uint64    `json:"renewals"`
}

func (h *history) event(now time.Time) allView {
	v := allView{
		Type: h.kind(), At: now, Election: h.view, Vacant: h.empty,
		Earlier: max(len(h.past)-maxTold, 0), Renewals: h.inTerm,
	}
	v.Past = slices.Clone(h.past[v.Earlier:])
	v.FreeIn = view.Ceil(h.trust(now))
	if !h.blind.IsZero() {
		v.Vacant = time.Time{}
	}
	return v
}

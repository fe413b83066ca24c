package sim

import (
	"fmt"
	"time"

	leadership "github.com/seed-a1d591d3/leadership"
)

// record is the part of an election's record that concerns us.
type record struct {
	Leader   string `json:"leader"`
	Instance string `json:"instance"`
	Token    uint64 `json:"token"`
	TTL      int64  `json:"ttl"`
	Session  string `json:"session"`
	Beat     uint64 `json:"beat"`
	Ask      struct {
		Do   leadership.Action `json:"do"`
		To   string            `json:"to"`
		Hold int64             `json:"hold"`
		Keep bool              `json:"keep"`
	} `json:"ask"`
	Waiting []struct {
		Node     string `json:"node"`
		Priority int    `json:"priority"`
	} `json:"waiting"`
}

// annotates reports whether a record says the same as one before it, but for
// requests and who waits: anybody may add to those.
func (r record) annotates(old record) bool {
	return r.Instance == old.Instance && r.Token == old.Token && r.Beat == old.Beat && r.TTL == old.TTL && r.Leader == old.Leader
}

// unwanted reports whether a record asks its leader to go.
func (r record) unwanted() bool {
	return r.Ask.Do == leadership.Resign || r.Ask.Do == leadership.Transfer && r.Ask.To != r.Leader ||
		r.Ask.Do == leadership.Pause && !r.Ask.Keep
}

// heldBack is how long a candidate has to leave a free seat to others.
func (r record) heldBack(who *contender) time.Duration {
	if r.Ask.Do == leadership.Transfer {
		if r.Ask.To == who.node {
			return 0
		}
		return time.Duration(r.Ask.Hold) * time.Millisecond
	}
	ahead := map[string]bool{}
	for _, w := range r.Waiting {
		if w.Node != who.node && w.Priority > who.priority {
			ahead[w.Node] = true
		}
	}
	return time.Duration(min(len(ahead), 3)) * who.retry
}

func (r record) held() bool { return r.Leader != "" }

func (r record) ttl() time.Duration { return time.Duration(r.TTL) * time.Millisecond }

// trusted is for how long its writer may trust a record from the start of that on, or, where
// it rides, of a look.
func (r record) trusted(margin time.Duration) time.Duration {
	if r.Session != "" {
		return 2 * (r.ttl() - margin)
	}
	return r.ttl() - margin
}

func (r record) String() string {
	if !r.held() {
		return fmt.Sprintf("vacant, token %d", r.Token)
	}
	if r.Session != "" {
		return fmt.Sprintf("%s, token %d, on %s", r.Leader, r.Token, r.Session)
	}
	return fmt.Sprintf("%s, token %d", r.Leader, r.Token)
}

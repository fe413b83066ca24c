package leadcron

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-co-op/gocron/v2"

	"github.com/seed-a1d591d3/leadership"
)

// ErrNotLeader means that a job is not run here because this node does not lead.
var ErrNotLeader = errors.New("not the leader")

// Elector makes gocron run jobs only while a candidate leads. Make it with NewElector;
// the zero value is not usable. It is safe for concurrent use.
type Elector struct{ candidate *leadership.Candidate }

var _ gocron.Elector = (*Elector)(nil)

// NewElector makes an elector for a candidate, which has to be campaigning.
func NewElector(candidate *leadership.Candidate) *Elector { return &Elector{candidate} }

// IsLeader returns nil if the candidate leads at this moment, and ErrNotLeader
// otherwise. It ignores ctx and does not block. Without a candidate it returns
// leadership.ErrInvalidArgument.
func (e *Elector) IsLeader(context.Context) error {
	switch {
	case e == nil || e.candidate == nil:
		return fmt.Errorf("leadcron: %w: candidate is nil: must be a candidate", leadership.ErrInvalidArgument)
	case !e.candidate.IsLeader():
		return fmt.Errorf("leadcron: %w", ErrNotLeader)
	}
	return nil
}

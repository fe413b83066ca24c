package httpapi

import (
	"context"
	"errors"
	"net/http"

	"github.com/seed-a1d591d3/leadership"
)

// forget deletes the record of an election that is not used any more. A leader that
// may be alive is looked at until its time is over, or the wait is.
func (d *desk) forget(w http.ResponseWriter, r *http.Request) error {
	key, err := election(r)
	if err != nil {
		return err
	}
	values, err := query(r)
	if err != nil {
		return err
	}
	wait, err := duration(values, "wait", minPatience, maxWait, defaultWait)
	if err != nil {
		return err
	}
	leave, err := place(w, d.h.requests)
	if err != nil {
		return err
	}
	defer leave()
	ctx, cancel := d.h.while(r)
	defer cancel()
	ctx, expire := context.WithTimeoutCause(ctx, wait, errWaited)
	defer expire()
	switch err := leadership.Forget(ctx, d.h.kv.requests, key); {
	case err == nil:
		write(w, http.StatusNoContent, "", nil)
		return nil
	case errors.Is(err, leadership.ErrNoElection):
		return problem{http.StatusNotFound, reason(err)}
	case errors.Is(err, leadership.ErrHeld), errors.Is(err, leadership.ErrPaused):
		return problem{http.StatusConflict, reason(err)}
	default:
		return unfit(err)
	}
}

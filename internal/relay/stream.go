package relay

import (
	"context"
	"iter"
)

// Errors is how many errors wait for a slow reader; beyond that the oldest give way.
const Errors = 16

// Stream is a pair of channels: of states, and of errors. Report and End must not be
// called at once.
type Stream[S comparable, T any] struct {
	*Relay[S, T]
	Errs chan error
}

// NewStream makes a stream, whose goroutine ends with End.
func NewStream[S comparable, T any](rules Rules[S, T]) *Stream[S, T] {
	return &Stream[S, T]{Relay: New(rules), Errs: make(chan error, Errors)}
}

// Report puts err into the error channel. It does not block.
func (s *Stream[S, T]) Report(err error) {
	for {
		select {
		case s.Errs <- err:
			return
		default:
		}
		select {
		case <-s.Errs:
		default:
		}
	}
}

// Changes returns the values and errors of the channels of run, in the order of each, for a
// range loop. With an error comes the value before. When the loop is left, the context of run
// ends, and both channels are read until they are closed.
func Changes[T any](ctx context.Context, run func(context.Context) (<-chan T, <-chan error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		within, cancel := ctx, func() {}
		if ctx != nil { // else run says what is wrong
			within, cancel = context.WithCancel(ctx)
		}
		values, errs := run(within)
		defer func() {
			cancel()
			for range values {
			}
			for range errs {
			}
		}()
		var last T
		for values, errs := values, errs; values != nil || errs != nil; {
			var err error
			var ok bool
			select {
			case value, open := <-values:
				if ok = open; ok {
					last = value
				} else {
					values = nil
				}
			case err, ok = <-errs:
				if !ok {
					errs = nil
				}
			}
			if ok && !yield(last, err) {
				return
			}
		}
	}
}

// End closes both channels, after a last error if there is one.
func (s *Stream[S, T]) End(err error) {
	if err != nil {
		s.Report(err)
	}
	s.Close()
	close(s.Errs)
}

package relay

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

// End closes both channels, after a last error if there is one.
func (s *Stream[S, T]) End(err error) {
	if err != nil {
		s.Report(err)
	}
	s.Close()
	close(s.Errs)
}

package leadership

// errorBuffer is how many errors wait for a slow reader; beyond that the
// oldest give way.
const errorBuffer = 16

// stream is the pair of channels that RunForElection or FollowElection
// returned. Only the turns of the campaign report to it and close it.
type stream[S comparable, T any] struct {
	*relay[S, T]
	errs chan error
}

func newStream[S comparable, T any](r *relay[S, T]) *stream[S, T] {
	return &stream[S, T]{relay: r, errs: make(chan error, errorBuffer)}
}

// report puts err into the error channel. It does not block.
func (s *stream[S, T]) report(err error) {
	for {
		select {
		case s.errs <- err:
			return
		default:
		}
		select {
		case <-s.errs:
		default:
		}
	}
}

// end closes both channels, after a last error if there is one.
func (s *stream[S, T]) end(err error) {
	if err != nil {
		s.report(err)
	}
	s.relay.close()
	close(s.errs)
}

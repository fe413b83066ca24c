package worker

import "io"

// Main runs the worker until in, its standard input, ends; it then stops, closes all, and
// logs what is left over. Lines of in are orders:
//
//	resign      call Resign
//	wall 1h     set the candidate's wall clock forward by 1 h; -1h sets it back
//
// It does not return an error for those of the store.
func Main(c Config, in io.Reader) error { return nil }

//go:build !linux

package sqlite

// notify is not supported here: the poll interval applies.
func notify(string) (writes <-chan struct{}, stop func()) { return nil, func() {} }

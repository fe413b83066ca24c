//go:build !linux

package sqlite

// notify tells of nothing here: there is the poll interval.
func notify(string) (writes <-chan struct{}, stop func()) { return nil, func() {} }

package etcd

import (
	"context"
	"testing"
	"time"
)

// WarnFrom has stores warn of a history of n revisions, for a test.
func WarnFrom(t testing.TB, n int64) {
	before := manyRevisions
	manyRevisions = n
	t.Cleanup(func() { manyRevisions = before })
}

// AdviseEvery has stores check as often whether anybody compacts, and take a history that
// is as old for an old one, for a test.
func AdviseEvery(t testing.TB, every, old time.Duration) {
	beforeEvery, beforeOld := adviseEvery, oldHistory
	adviseEvery, oldHistory = every, old
	t.Cleanup(func() { adviseEvery, oldHistory = beforeEvery, beforeOld })
}

// Compact has a store compact, however short the history is that it keeps.
func (s *Store) Compact(t testing.TB, key string, keep time.Duration) {
	t.Helper()
	if err := s.tidy(context.Background(), key, keep); err != nil {
		t.Fatal(err)
	}
}

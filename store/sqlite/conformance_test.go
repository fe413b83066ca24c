package sqlite_test

import (
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/storetest"
)

var capabilities = storetest.Capabilities{TTL: time.Millisecond}

// TestConformance: each client opens the file.
func TestConformance(t *testing.T) {
	path := newFile(t)
	storetest.Run(t, func(t testing.TB) store.Store { return openURL(t, path) }, capabilities)
	checkIntegrity(t, path)
}

// TestConformanceInDatabaseOfUser: all clients share a database, and its only connection.
func TestConformanceInDatabaseOfUser(t *testing.T) {
	path := newFile(t)
	db := openDB(t, path, "_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)")
	db.SetMaxOpenConns(1)
	storetest.Run(t, func(t testing.TB) store.Store { return newStore(t, db) }, capabilities)
	checkIntegrity(t, path)
}

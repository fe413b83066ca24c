package sqlite_test

import (
	"fmt"
	"testing"

	"github.com/seed-a1d591d3/leadership/store/internal/pagetest"
)

func TestPagesReadNoMoreThanWanted(t *testing.T) {
	const n = 2500
	db := openDB(t, newFile(t), "_journal_mode=WAL")
	kv := newStore(t, db)
	defer kv.Close()
	put(t, kv, "some/", "none", nil, 0)
	put(t, kv, "some0", "behind", nil, 0)
	for i := range n {
		if _, err := db.ExecContext(t.Context(), `INSERT INTO leadership_kv (key, value) VALUES (?1, ?2)`, fmt.Appendf(nil, "some/%d", i), []byte("value")); err != nil {
			t.Fatal(err)
		}
	}
	pagetest.Check(t, kv, "some/", n, 3)
}

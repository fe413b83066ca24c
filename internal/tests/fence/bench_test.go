package fence_test

import (
	"testing"

	"github.com/seed-a1d591d3/leadership/fence"
)

// BenchmarkTransaction measures transactions that do nothing but check a token.
func BenchmarkTransaction(b *testing.B) {
	for _, name := range []string{"postgres", "mariadb", "sqlite", "sqlite, write-ahead"} {
		b.Run(name, func(b *testing.B) {
			d := databases[name]
			db := d.open(b)
			check := right(b, d)
			s, err := fence.NewSQL(d.dialect)
			if err != nil {
				b.Fatal(err)
			}
			if err := s.Create(b.Context(), db); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := commit(b, db, d.levels[0], check, "orders", 7); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

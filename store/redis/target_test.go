package redis_test

import (
	"testing"

	"github.com/seed-a1d591d3/leadership/store"
)

func TestURLLeadsToOneDatabase(t *testing.T) {
	for url, want := range map[string]string{
		"redis://u:s3cret@h":                       `store=redis hosts=h:6379 database=0 user=u`,
		"redis://h?db=3&prefix=a":                  `store=redis hosts=h:6379 database=3 prefix=a`,
		"valkey://h:1/2":                           `store=valkey hosts=h:1 database=2`,
		"redis+sentinel://:s3cret@s1,s2:7/main/2":  `store=redis+sentinel hosts=s1:26379,s2:7 master=main database=2`,
		"redis+sentinel://s1/main?db=2":            `store=redis+sentinel hosts=s1:26379 master=main database=2`,
		"redis+cluster://h1,h2":                    `store=redis+cluster hosts=h1:6379,h2:6379`,
		"unix://:s3cret@/run/redis.sock?db=1":      `store=redis socket=/run/redis.sock database=1`,
		"unix://u:s3cret@/run/a%40b.sock?prefix=p": `store=redis socket=/run/a@b.sock database=0 user=u prefix=p`,
	} {
		got, err := store.Resolve(url)
		if err != nil || got.String() != want {
			t.Errorf("%s: %v, %v; want %s", url, got, err, want)
		}
	}
}

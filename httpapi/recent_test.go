package httpapi

import (
	"fmt"
	"slices"
	"testing"
)

func TestOfManyNamesTheLatestAndThoseThatStayAreKept(t *testing.T) {
	r := newRecent(3, []string{"stays"})
	for i := range 100 {
		r.add(fmt.Sprint("junk", i))
		r.add("real")
		r.add("stays")
	}
	got := r.all()
	if slices.Sort(got); !slices.Equal(got, []string{"junk98", "junk99", "real", "stays"}) {
		t.Errorf("kept are %v", got)
	}
}

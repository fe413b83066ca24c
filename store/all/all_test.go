package all_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/seed-a1d591d3/leadership/store"
	_ "github.com/seed-a1d591d3/leadership/store/all"
)

func TestAllSchemesAreRegistered(t *testing.T) {
	want := []string{
		"consul", "etcd", "memory", "postgres", "postgresql",
		"redis", "redis+cluster", "redis+sentinel", "rediss", "rediss+cluster", "rediss+sentinel",
		"sqlite", "unix",
		"valkey", "valkey+cluster", "valkey+sentinel", "valkeys", "valkeys+cluster", "valkeys+sentinel", "zookeeper",
	}
	if got := store.Schemes(); !slices.Equal(got, want) {
		t.Errorf("the schemes are %q, want %q", got, want)
	}
	// Where a package is not imported, Open names it.
	source, err := os.ReadFile("../parse.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, scheme := range want {
		if !regexp.MustCompile(`[ "]` + regexp.QuoteMeta(scheme) + `[ "]`).Match(source) {
			t.Errorf("%s is in no package of parse.go", scheme)
		}
	}
}

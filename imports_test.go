package leadership

import (
	"os/exec"
	"strings"
	"testing"
)

// Whoever imports the core gets the standard library, valkeyrie's store
// package, and nothing else.
func TestCoreImportsNothingHeavy(t *testing.T) {
	const module = "github.com/seed-a1d591d3/leadership"
	allowed := map[string]bool{
		module: true, module + "/store": true, module + "/internal/clock": true,
		"github.com/kvtools/valkeyrie/store": true,
	}
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f",
		"{{if not .Standard}}{{.ImportPath}}{{end}}", module, module+"/store").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	seen := strings.Fields(string(out))
	for _, path := range seen {
		if !allowed[path] {
			t.Errorf("the core imports %s", path)
		}
	}
	if len(seen) != len(allowed) {
		t.Errorf("go list shows %v, want all of %v", seen, allowed)
	}
}

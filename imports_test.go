package leadership

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/seed-a1d591d3/leadership"

// deps returns what the packages import, at any depth, but for the standard
// library.
func deps(t *testing.T, packages ...string) []string {
	t.Helper()
	args := append([]string{"list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}"}, packages...)
	out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.Fields(string(out))
}

// Whoever imports the core gets the standard library, valkeyrie's store
// package, the parser of cron specs, and nothing else.
func TestCoreImportsNothingHeavy(t *testing.T) {
	want := []string{"github.com/kvtools/valkeyrie/store", "github.com/robfig/cron/v3", module, module + "/internal/clock", module + "/internal/election", module + "/internal/format", module + "/internal/indexes", module + "/internal/reread", module + "/internal/schedule", module + "/internal/storeerr", module + "/internal/watches", module + "/store"}
	seen := deps(t, module, module+"/store")
	slices.Sort(seen)
	if !slices.Equal(seen, want) {
		t.Errorf("the core imports %v, want %v", seen, want)
	}
}

// Whoever fences or proxies gets no more than that.
func TestHelpersImportNothingHeavy(t *testing.T) {
	core := deps(t, module, module+"/store")
	for _, name := range []string{"fence", "leadproxy"} {
		for _, path := range deps(t, module+"/"+name) {
			if path != module+"/"+name && !slices.Contains(core, path) {
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
	const scheduler = "github.com/go-co-op/gocron/v2"
	if !slices.Contains(deps(t, module+"/leadcron"), scheduler) || slices.Contains(core, scheduler) {
		t.Errorf("leadcron is not what imports %s", scheduler)
	}
}

// The service serves any store, and brings none along; nothing that it is made of
// imports it.
func TestServiceImportsNoStore(t *testing.T) {
	for _, path := range deps(t, module+"/httpapi") {
		if strings.HasPrefix(path, module+"/store/") || strings.HasPrefix(path, module+"/cmd/") || strings.HasPrefix(path, module+"/internal/servers") {
			t.Errorf("httpapi imports %s", path)
		}
	}
	for _, path := range deps(t, module, module+"/store/all", module+"/fence", module+"/leadproxy", module+"/leadcron") {
		if path == module+"/httpapi" {
			t.Errorf("what httpapi is made of imports it")
		}
	}
}

// Whoever imports one store gets its client and no other's.
func TestStoreImportsNoOtherStoresClient(t *testing.T) {
	clients := map[string]string{
		"etcd":      "go.etcd.io/etcd/client/v3",
		"consul":    "github.com/hashicorp/consul/api",
		"zookeeper": "github.com/go-zookeeper/zk",
		"redis":     "github.com/redis/go-redis/v9",
		"postgres":  "github.com/jackc/pgx/v5",
		"sqlite":    "modernc.org/sqlite",
	}
	for _, name := range []string{"memory", "faultstore", "sqlite", "postgres", "etcd", "consul", "zookeeper", "redis"} {
		seen := deps(t, module, module+"/store/"+name)
		for of, client := range clients {
			if found := slices.Contains(seen, client); found != (of == name) {
				t.Errorf("store/%s imports %s: %v", name, client, found)
			}
		}
		for _, path := range seen {
			if strings.HasPrefix(path, module+"/internal/servers") || path == module+"/store/storetest" {
				t.Errorf("store/%s imports %s", name, path)
			}
		}
	}
}

// A store may refuse a write without an error. No caller may take that for success:
// each looks at the first result, or hands it on.
func TestEveryWriteLooksAtWhetherItHappened(t *testing.T) {
	calls := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "test/") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		writes := func(e ast.Expr) bool {
			call, ok := e.(*ast.CallExpr)
			if !ok {
				return false
			}
			f, ok := call.Fun.(*ast.SelectorExpr)
			return ok && (f.Sel.Name == "AtomicPut" || f.Sel.Name == "AtomicDelete")
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ExprStmt:
				if writes(n.X) {
					t.Errorf("%s: the results of a write are dropped", path)
				}
			case *ast.AssignStmt:
				if len(n.Rhs) != 1 || !writes(n.Rhs[0]) {
					break
				}
				calls++
				if ok, named := n.Lhs[0].(*ast.Ident); named && ok.Name == "_" {
					t.Errorf("%s: whether a write has happened is not looked at", path)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if calls < 3 {
		t.Errorf("only %d writes were found", calls)
	}
}

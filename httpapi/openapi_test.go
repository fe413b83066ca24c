package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// document is what a handler says of itself.
type document struct {
	Paths map[string]map[string]json.RawMessage `json:"paths"`
}

func describing(t *testing.T) (*httpapi.Handler, document) {
	t.Helper()
	api, err := httpapi.New(memory.New())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { api.Close() })
	w := httptest.NewRecorder()
	api.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/openapi.json", nil))
	var d document
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	return api, d
}

func TestOpenAPIDocumentHasTheRoutesThatThereAre(t *testing.T) {
	api, document := describing(t)
	described := make(map[string]bool)
	for path, operations := range document.Paths {
		for method := range operations {
			if method != "parameters" {
				described[strings.ToUpper(method)+" "+path] = true
			}
		}
	}
	for _, pattern := range api.Patterns() {
		route := strings.ReplaceAll(pattern, "{$}", "")
		if !described[route] {
			t.Errorf("%s is not described", pattern)
		}
		delete(described, route)
	}
	for o := range described {
		t.Errorf("there is no %s", o)
	}
	if len(api.Patterns()) < 19 {
		t.Errorf("there are %d routes: those of which areas are missing?", len(api.Patterns()))
	}
}

// docs/http.md has a row for each route: | `GET /path` | right | request | answers |. Its codes are those of
// the document, which are held to what is answered, but for those that its table of errors has for all routes.
func TestHTTPPageHasTheRoutesRightsAndCodesThatThereAre(t *testing.T) {
	api, document := describing(t)
	page, err := os.ReadFile("../docs/http.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string][]string)
	for _, m := range regexp.MustCompile("(?m)^\\| `([A-Z]+ /\\S*)` \\|(.*?)\\|(.*?)\\|(.*)\\|$").FindAllStringSubmatch(string(page), -1) {
		rows[m[1]] = m[2:]
	}
	for _, pattern := range api.Patterns() {
		route := strings.ReplaceAll(pattern, "{$}", "")
		row := rows[route]
		if row == nil {
			t.Errorf("docs/http.md has no row for %s", route)
			continue
		}
		delete(rows, route)
		method, path, _ := strings.Cut(route, " ")
		var operation struct {
			Security  []map[string]any
			Responses map[string]any
		}
		if err := json.Unmarshal(document.Paths[path][strings.ToLower(method)], &operation); err != nil {
			t.Fatal(err)
		}
		right := ""
		for _, s := range operation.Security {
			for name := range s {
				if right == "" || name == "read" {
					right = name
				}
			}
		}
		if got := strings.TrimSpace(row[0]); got != right {
			t.Errorf("%s: the right is %q, want %q", route, got, right)
		}
		told := regexp.MustCompile(`\b[2-5]\d\d\b`).FindAllString(row[2], -1)
		for code := range operation.Responses {
			if !slices.Contains(told, code) && !slices.Contains([]string{"400", "401", "403", "500"}, code) {
				t.Errorf("%s: %s is not told", route, code)
			}
		}
		for _, code := range told {
			if operation.Responses[code] == nil {
				t.Errorf("%s: there is no %s", route, code)
			}
		}
	}
	for route := range rows {
		t.Errorf("there is no %s", route)
	}
}

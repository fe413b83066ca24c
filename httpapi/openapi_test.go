package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestOpenAPIDocumentHasTheRoutesThatThereAre(t *testing.T) {
	api, err := httpapi.New(memory.New())
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	w := httptest.NewRecorder()
	api.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/openapi.json", nil))
	var document struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
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

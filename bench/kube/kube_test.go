package kube

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

func TestLeaseOfAnOldVersionIsRefused(t *testing.T) {
	s, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ask := func(method, path, body string) (status int, version string) {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Addr+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var l struct {
			Metadata struct{ ResourceVersion string }
		}
		if err := json.NewDecoder(resp.Body).Decode(&l); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, l.Metadata.ResourceVersion
	}
	for i, c := range []struct {
		method, path, body string
		status             int
		version            string
	}{
		{http.MethodGet, "/a", "", 404, ""},
		{http.MethodPost, "", `{"metadata":{"name":"a"}}`, 201, "1"},
		{http.MethodPost, "", `{"metadata":{"name":"a"}}`, 409, ""},
		{http.MethodPut, "/a", `{"metadata":{"name":"a","resourceVersion":"1"}}`, 200, "2"},
		{http.MethodPut, "/a", `{"metadata":{"name":"a","resourceVersion":"1"}}`, 409, ""},
		{http.MethodGet, "/a", "", 200, "2"},
		{http.MethodPut, "/b", `{"metadata":{"name":"b"}}`, 404, ""},
	} {
		if status, version := ask(c.method, Path+c.path, c.body); status != c.status || version != c.version {
			t.Errorf("request %d: %d and version %q, want %d and %q", i, status, version, c.status, c.version)
		}
	}
	if s.requests.Load() != 7 || s.writes.Load() != 2 {
		t.Errorf("%d requests and %d writes were counted", s.requests.Load(), s.writes.Load())
	}
	http.DefaultClient.CloseIdleConnections()
}

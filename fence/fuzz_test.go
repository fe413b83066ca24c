package fence_test

import (
	"encoding/binary"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/fence"
	"github.com/seed-a1d591d3/leadership/internal/fuzzing"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// FuzzCheck: for any two resources and any tokens all checks answer alike, what passes is
// what is not below the highest that has passed of that resource, and what is refused as
// invalid is so each time.
func FuzzCheck(f *testing.F) {
	f.Fuzz(func(t *testing.T, one, other string, tokens []byte) {
		kv := memory.New()
		defer kv.Close()
		checks := []fence.Checker{new(fence.Memory), fence.NewKV(kv, "fences")}
		highest := make(map[string]uint64)
		for ; len(tokens) > 0 && len(tokens) < 2000; tokens = tokens[min(9, len(tokens)):] {
			resource := one
			if tokens[0]%2 == 1 {
				resource = other
			}
			token := binary.LittleEndian.Uint64(append(tokens[1:min(9, len(tokens)):min(9, len(tokens))], make([]byte, 8)...))
			for i, check := range checks {
				err := check.Check(t.Context(), resource, token)
				switch invalid := errors.Is(err, leadership.ErrInvalidArgument); {
				case invalid != (token == 0 || token >= 1<<62 || !named(resource)):
					t.Fatalf("check %d of %q, %d: %v", i, resource, token, err)
				case invalid:
				case errors.Is(err, fence.ErrStale) != (token < highest[resource]), err != nil && !errors.Is(err, fence.ErrStale):
					t.Fatalf("check %d of %q, %d, where %d has been seen: %v", i, resource, token, highest[resource], err)
				}
				if i == len(checks)-1 && err == nil {
					highest[resource] = token
				}
			}
		}
	})
}

// named reports whether a text is the name of a resource.
func named(s string) bool {
	return s != "" && len(s) <= 255 && s != "." && s != ".." && utf8.ValidString(s) && !strings.Contains(s, "\x00")
}

// FuzzStoredValue: what stands under the key of a resource and is no record of it is
// neither overwritten nor shown.
func FuzzStoredValue(f *testing.F) {
	f.Fuzz(func(t *testing.T, value []byte, token uint64) {
		kv := memory.New()
		defer kv.Close()
		if err := kv.Put(t.Context(), "fences/r", value, nil); err != nil {
			t.Fatal(err)
		}
		before, _ := kv.Get(t.Context(), "fences/r", nil)
		err := fence.NewKV(kv, "fences").Check(t.Context(), "r", token)
		after, _ := kv.Get(t.Context(), "fences/r", nil)
		if err != nil && after.LastIndex != before.LastIndex {
			t.Errorf("%q was overwritten: %v", value, err)
		}
		if fuzzing.Shows(err, string(value)) {
			t.Errorf("the error shows the value: %v", err)
		}
		if err == nil {
			found := regexp.MustCompile(`^\s*\{\s*"v"\s*:\s*1\s*,\s*"kind"\s*:\s*"[^"]*"\s*,\s*"token"\s*:\s*(\d+)\s*,`).FindSubmatch(value)
			if found == nil {
				t.Fatalf("%q is no record, and was overwritten", value)
			}
			if stored, err := strconv.ParseUint(string(found[1]), 10, 64); err != nil || stored > token {
				t.Errorf("%d passed over %q: %v", token, value, err)
			}
		}
	})
}

// FuzzHeader: a request passes with exactly the token that its header has in decimal
// digits.
func FuzzHeader(f *testing.F) {
	digits := regexp.MustCompile(`^[0-9]+$`)
	f.Fuzz(func(t *testing.T, value string, twice bool) {
		var got uint64
		next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got, _ = fence.TokenFromContext(r.Context()) })
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
		r.Header[fence.DefaultHeader] = []string{value}
		if twice {
			r.Header.Add(fence.DefaultHeader, "5")
		}
		w := httptest.NewRecorder()
		fence.Handler(new(fence.Memory), next).ServeHTTP(w, r)
		want, err := strconv.ParseUint(value, 10, 64)
		if passes := err == nil && digits.MatchString(value) && want > 0 && want < 1<<62 && !twice; passes != (got != 0) || passes && got != want || !passes && w.Code != http.StatusBadRequest {
			t.Errorf("%q, twice: %v: passed with %d, status %d", value, twice, got, w.Code)
		}
	})
}

package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// metricNames are those of all metrics of ours, whether they have values or not.
func metricNames(h *Handler) []string {
	descs := make(chan *prometheus.Desc)
	go func() { h.metrics.registry.Describe(descs); close(descs) }()
	name := regexp.MustCompile(`fqName: "(leadership_\w+)"`)
	var names []string
	for d := range descs {
		if found := name.FindStringSubmatch(d.String()); found != nil {
			names = append(names, found[1])
		}
	}
	slices.Sort(names)
	return names
}

// ask makes a request of a handler, and checks the status.
func ask(t *testing.T, h *Handler, status int, method, path, body string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body)))
	if w.Code != status {
		t.Errorf("%s %s: %d %s, want %d", method, path, w.Code, w.Body, status)
	}
}

// tells checks the values of metrics: of those named, all of them.
func tells(t *testing.T, h *Handler, values string) {
	t.Helper()
	got, err := h.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	want, names := make(map[string]bool), make(map[string]bool)
	for line := range strings.Lines(values) {
		if line = strings.TrimSpace(line); line != "" {
			want[line] = true
			name, _, _ := strings.Cut(line, " ")
			name, _, _ = strings.Cut(name, "{")
			names[name] = true
		}
	}
	for _, family := range got {
		if !names[family.GetName()] {
			continue
		}
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			line := family.GetName()
			if len(labels) > 0 {
				line += "{" + strings.Join(labels, ",") + "}"
			}
			value := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			line = fmt.Sprintf("%s %g", line, value)
			if !want[line] && value != 0 {
				t.Errorf("told: %s", line)
			}
			delete(want, line)
		}
	}
	for line := range want {
		t.Errorf("not told: %s", line)
	}
}

func TestMetricsTellOfElections(t *testing.T) {
	observing(t, func(t *testing.T, kv *faultstore.Store, h *Handler) {
		time.Sleep(3 * time.Second)
		const key = "service/a/leader"
		claims := leadership.NewClaims(kv, key)
		electiontest.Claim(t, kv, "other/leader", "x", 10*time.Second) // is not below the prefix
		a := electiontest.Claim(t, kv, key, "a", 10*time.Second)
		time.Sleep(2 * time.Second)
		if _, err := claims.Claim(t.Context(), leadership.Claim{Node: "a", Instance: a.Instance, Token: a.Term.Token}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		tells(t, h, fmt.Sprintf(`
			leadership_election_held{key="service/a/leader"} 1
			leadership_election_leader_info{key="service/a/leader",node="a"} 1
			leadership_election_token{key="service/a/leader"} %g
			leadership_election_terms_total{key="service/a/leader"} 1
			leadership_election_terms_ended_total{key="service/a/leader",reason="resigned"} 0
			leadership_election_renewals_total{key="service/a/leader"} 1
			leadership_election_trust_seconds{key="service/a/leader"} 9
			leadership_election_vacant_seconds_total{key="service/a/leader"} 0`, float64(a.Term.Token)))
		if err := claims.Resign(t.Context(), a.Instance, 0, 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Second)
		tells(t, h, `
			leadership_election_held{key="service/a/leader"} 0
			leadership_election_trust_seconds{key="service/a/leader"} 0
			leadership_election_terms_ended_total{key="service/a/leader",reason="resigned"} 1
			leadership_election_vacant_seconds_total{key="service/a/leader"} 4`)
		if n, err := testutil.GatherAndCount(h.metrics.registry, "leadership_election_leader_info"); n != 0 || err != nil {
			t.Errorf("%d leaders are told of while there is none: %v", n, err)
		}
		electiontest.Claim(t, kv, key, "b", 10*time.Second)
		time.Sleep(time.Second)
		tells(t, h, `
			leadership_election_leader_info{key="service/a/leader",node="b"} 1
			leadership_election_terms_total{key="service/a/leader"} 2`)
		time.Sleep(11 * time.Second) // b falls silent after 10
		tells(t, h, `leadership_election_held{key="service/a/leader"} 0`)

		pair, err := kv.Get(t.Context(), key, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := kv.AtomicDelete(t.Context(), key, pair); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		if n, err := testutil.GatherAndCount(h.metrics.registry, "leadership_election_held", "leadership_election_token"); n != 0 || err != nil {
			t.Errorf("%d values of elections that are gone: %v", n, err)
		}
	})
}

// Anyone who may write to the store decides what is in a record.
func TestMetricsDoNotGrowWithWhatRecordsAndClientsSay(t *testing.T) {
	observing(t, func(t *testing.T, kv *faultstore.Store, h *Handler) {
		const key = "service/a/leader"
		electiontest.Claim(t, kv, key, "a", 10*time.Second)
		time.Sleep(2 * time.Second)
		for i := range 100 {
			pair, err := kv.Get(t.Context(), key, nil)
			if err != nil {
				t.Fatal(err)
			}
			type ending struct {
				Leader string `json:"leader"`
				Token  uint64 `json:"token"`
				Reason string `json:"reason"`
			}
			var record struct { // the fields in the order that they have to have
				V        int       `json:"v"`
				Kind     string    `json:"kind"`
				Leader   string    `json:"leader"`
				Instance string    `json:"instance"`
				Token    uint64    `json:"token"`
				TTL      int64     `json:"ttl"`
				Beat     uint64    `json:"beat"`
				Since    time.Time `json:"since"`
				Last     *ending   `json:"last"`
			}
			if err := json.Unmarshal(pair.Value, &record); err != nil {
				t.Fatal(err)
			}
			record.Last = &ending{record.Leader, record.Token, fmt.Sprint("mood ", i)}
			record.Token, record.Leader = record.Token+1, fmt.Sprint("node ", i)
			value, err := json.Marshal(record)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := kv.AtomicPut(t.Context(), key, value, pair, nil); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		tells(t, h, `
			leadership_election_leader_info{key="service/a/leader",node="node 99"} 1
			leadership_election_terms_ended_total{key="service/a/leader",reason="unknown"} 100`)

		for i := range 100 {
			ask(t, h, 204, "GET", fmt.Sprintf("/api/v1/elected/system%d/%d", i, i), "")
			ask(t, h, 404, "GET", fmt.Sprintf("/nothing/%d", i), "")
			ask(t, h, 404, "GET", fmt.Sprintf("/api//%d", i), "")
			ask(t, h, 405, fmt.Sprint("BREW", i), "/alive", "")
		}
		tells(t, h, `
			leadership_http_requests_total{code="204",route="GET /api/v1/elected/{system}/{round}"} 100
			leadership_http_requests_total{code="404",route="none"} 200
			leadership_http_requests_total{code="405",route="none"} 100
			leadership_http_requests_in_flight{route="GET /api/v1/elected/{system}/{round}"} 0`)
	})
}

func TestMetricsTellWhatBecameOfClaimsRoundsAndCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := faultstore.New(memory.New())
		h, err := New(kv, WithTimeout(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		// As Prometheus needs it, for the first error to be seen.
		tells(t, h, `
			leadership_claims_total{result="error"} 0
			leadership_rounds_total{result="error"} 0`)
		const seat, instance = "/api/v1/elections/k", "instance-of-holder-a"
		claimed := func(status int, node, rest string) {
			t.Helper()
			ask(t, h, status, "POST", seat+"/claim", fmt.Sprintf(`{"node":%q%s}`, node, rest))
		}
		claimed(200, "a", fmt.Sprintf(`,"instance":%q`, instance))
		s, err := leadership.NewClaims(kv, "k").Look(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		renewal := fmt.Sprintf(`,"instance":%q,"token":%d`, instance, s.Term.Token)
		claimed(200, "a", renewal)
		claimed(200, "a", renewal)
		claimed(409, "b", "")
		claimed(409, "a", fmt.Sprintf(`,"instance":%q,"token":1`, instance)) // which is over
		claimed(400, "a", `,"instance":"short"`)
		claimed(400, "", "")
		ask(t, h, 202, "POST", seat+"/requests", `{"action":"pause","wait":1}`)
		claimed(409, "a", renewal)

		for _, r := range []struct {
			status int
			path   string
		}{
			{202, "elect/s/1?node=a"},
			{204, "elect/s/1?node=b"},
			{204, "elect/s/1?node=c"},
			{400, "elect/s/1?node="},
			{400, "complete/s/1?node=b"},
			{200, "complete/s/1?node=a"},
		} {
			ask(t, h, r.status, "GET", "/api/v1/"+r.path, "")
		}

		kv.Refuse()
		claimed(500, "a", renewal)
		ask(t, h, 500, "GET", "/api/v1/elect/s/2?node=a", "")
		ask(t, h, 500, "GET", "/api/v1/complete/s/2?node=a", "")
		ask(t, h, 500, "GET", "/api/v1/rounds?system=s", "")
		kv.Heal()
		kv.Partition()
		ask(t, h, 500, "GET", "/api/v1/rounds?system=s", "")
		kv.Heal()
		tells(t, h, `
			leadership_claims_total{result="won"} 1
			leadership_claims_total{result="renewed"} 2
			leadership_claims_total{result="lost"} 2
			leadership_claims_total{result="refused"} 1
			leadership_claims_total{result="error"} 1
			leadership_claim_duration_seconds{result="won"} 1
			leadership_claim_duration_seconds{result="renewed"} 2
			leadership_claim_duration_seconds{result="lost"} 2
			leadership_claim_duration_seconds{result="refused"} 1
			leadership_claim_duration_seconds{result="error"} 1
			leadership_rounds_total{result="won"} 1
			leadership_rounds_total{result="lost"} 2
			leadership_rounds_total{result="completed"} 1
			leadership_rounds_total{result="error"} 2`)
		for kind, most := range map[string]float64{"unreachable": 1, "timeout": 1} {
			if n := testutil.ToFloat64(h.metrics.callErrors.WithLabelValues("list", kind)); n != most {
				t.Errorf("%s: %v calls of list have failed", kind, n)
			}
		}
		for op, calls := range map[string]faultstore.Op{"get": faultstore.OpGet, "list": faultstore.OpList} {
			if n := testutil.CollectAndCount(h.metrics.callSeconds); n < 3 || kv.Calls(calls) == 0 {
				t.Errorf("%s: there are %d operations", op, n)
			}
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		_ = kv.Close()
		time.Sleep(time.Minute)
	})
}

func TestErrorsOfTheStoreHaveFewKinds(t *testing.T) {
	for _, c := range []struct {
		err  error
		kind string
	}{
		{nil, ""},
		{store.ErrKeyNotFound, ""},
		{fmt.Errorf("put: %w", store.ErrKeyModified), ""},
		{store.ErrKeyExists, ""},
		{fmt.Errorf("%w: %w", errBusy, context.DeadlineExceeded), "busy"},
		{fmt.Errorf("get: %w", context.DeadlineExceeded), "timeout"},
		{context.Canceled, "canceled"},
		{fmt.Errorf("get: %w", store.ErrNotReachable), "unreachable"},
		{errors.New("disk full"), "other"},
	} {
		if kind := errorKind(c.err); kind != c.kind {
			t.Errorf("%v is %q, want %q", c.err, kind, c.kind)
		}
	}
}

func TestMetricsAreNamedAsPrometheusWantsIt(t *testing.T) {
	h, err := New(memory.New(), WithObserved("service/"))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	ask(t, h, 200, "POST", "/api/v1/elections/service%2Fa/claim", `{"node":"a"}`)
	ask(t, h, 202, "GET", "/api/v1/elect/s/1", "")
	names := metricNames(h)
	if len(names) < 16 {
		t.Errorf("there are only %v", names)
	}
	problems, err := testutil.GatherAndLint(h.metrics.registry, names...)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	for _, part := range []string{"leadership_claims_total{result=\"won\"} 1\n", "go_goroutines ", "process_open_fds "} {
		if !strings.Contains(w.Body.String(), part) {
			t.Errorf("/metrics does not tell %s", part)
		}
	}
}

package httpapi

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// What alerts, dashboard and docs name is there, and they name all that is.
func TestMonitoringNamesTheMetricsThatThereAre(t *testing.T) {
	h, err := New(memory.New(), WithObserved(""))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	there := metricNames(h)
	name := regexp.MustCompile(`\bleadership_[a-z_]+`)
	suffix := regexp.MustCompile(`_(bucket|sum|count)$`)
	shown := make(map[string][]string)
	for _, file := range []string{"monitoring.md", "monitoring/alerts.yml", "monitoring/dashboard.json"} {
		text, err := os.ReadFile(filepath.Join("..", "docs", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range name.FindAllString(string(text), -1) {
			if base := suffix.ReplaceAllString(n, ""); slices.Contains(there, base) {
				n = base
			}
			if !slices.Contains(there, n) {
				t.Errorf("%s names %s, which there is not", file, n)
			}
			shown[file] = append(shown[file], n)
		}
	}
	for _, n := range there {
		for _, file := range []string{"monitoring.md", "monitoring/dashboard.json"} {
			if !slices.Contains(shown[file], n) {
				t.Errorf("%s does not name %s", file, n)
			}
		}
	}
	if len(shown["monitoring/alerts.yml"]) == 0 {
		t.Error("there are no alerts")
	}
}

// TestAlertsFireWhenTheyShould runs the tests of the rules, which have each.
func TestAlertsFireWhenTheyShould(t *testing.T) {
	const folder = "../docs/monitoring/"
	cmd := exec.CommandContext(t.Context(), servers.Promtool(t), "test", "rules", "alerts_test.yml")
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	rules, err := os.ReadFile(folder + "alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile(folder + "alerts_test.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, alert := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(string(rules), -1) {
		if !strings.Contains(string(tests), "alertname: "+alert[1]) {
			t.Errorf("%s is not tested", alert[1])
		}
	}
}

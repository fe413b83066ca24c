package servers

import (
	"os"
	"path/filepath"
	"testing"
)

// axeVersion is what install.sh fetches.
const axeVersion = "4.14.1"

// Promtool returns the program that tests the rules of alerts; tests are skipped, or fail,
// where there is none, as where there is no server.
func Promtool(t testing.TB) string {
	t.Helper()
	return program(t, kind{name: "promtool", find: func() (string, error) { return inPath("promtool") }})
}

// Chromium returns the program of a browser, for tests of pages; those are skipped,
// or fail, where there is none, as where there is no server.
func Chromium(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a browser")
	}
	return program(t, kind{name: "chromium", find: func() (string, error) {
		return inPath("chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome", "/snap/bin/chromium")
	}})
}

// Axe returns the script of axe-core, which looks for what keeps people from using a page;
// tests are skipped, or fail, where there is none.
func Axe(t testing.TB) string {
	t.Helper()
	return program(t, kind{name: "axe-core", find: func() (string, error) {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		path := filepath.Join(cache, "leadership", "axe-"+axeVersion, "axe.min.js")
		_, err = os.Stat(path)
		return path, err
	}})
}

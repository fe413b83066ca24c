package store_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-a1d591d3/leadership/store"
)

func TestSecretFileIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	path, empty, missing := filepath.Join(dir, "secret"), filepath.Join(dir, "empty"), filepath.Join(dir, "missing")
	write := func(path, content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(path, " one\r\n")
	write(empty, "\n")
	file := func(url, env string) (*store.SecretFile, error) {
		t.Helper()
		if _, err := open(t, url, nil); err != nil {
			t.Fatal(err)
		}
		return opened.SecretFile("token", env)
	}
	if f, err := file("test://h", ""); f != nil || err != nil {
		t.Errorf("without a file: %v, %v", f, err)
	}
	for url, want := range map[string][]string{
		"test://h?token_file=" + missing:           {`"token_file"`, missing, "no such file"},
		"test://h?token_file=" + empty:             {`"token_file"`, empty, "no token in it"},
		"test://h?token=s3cret&token_file=" + path: {`"token_file"`, "use one of them"},
	} {
		_, err := file(url, "")
		wantError(t, err, want...)
	}

	f, err := file("test://h?token_file="+path, "")
	if err != nil {
		t.Fatal(err)
	}
	want := func(secret string, fails bool) {
		t.Helper()
		if got, err := f.Get(); got != secret || (err != nil) != fails {
			t.Errorf("it holds %q, %v; want %q", got, err, secret)
		}
	}
	want("one", false)
	write(path, "another")
	want("another", false)
	write(path, "")
	want("another", true)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	want("another", true)

	// The URL goes before the environment.
	write(path, "one")
	t.Setenv("LEADERSHIP_TEST_TOKEN_FILE", path)
	if f, err = file("test://h", "LEADERSHIP_TEST_TOKEN_FILE"); err != nil {
		t.Fatal(err)
	}
	want("one", false)
	if f, err := file("test://h?token=s3cret", "LEADERSHIP_TEST_TOKEN_FILE"); f != nil || err != nil {
		t.Errorf("beside the token itself: %v, %v", f, err)
	}
}

package store_test

import (
	"strings"
	"testing"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestURLThatTwoReadersTakeDifferentlyIsRefused(t *testing.T) {
	for url, want := range map[string][]string{
		"test://h1:1/,h2:2/":              {"comma", "%2C"},
		"test://h1:1/app,h2:2/app":        {"comma", "before the first /"},
		"test://h/a//b":                   {"empty part"},
		"test://h//a":                     {"empty part"},
		"test://h/a%2F%2Fb":               {"empty part"},
		"test://h/../b":                   {`".."`},
		"test://h/a/%2e%2e/b":             {`".."`},
		"test://h/./b":                    {`"."`},
		"test://h/a%00":                   {"control character"},
		"test://h/a ":                     {"blank"},
		"test://h/a\n":                    {"blank or a control character"},
		"\u00a0test://h/a":                {"blank"},
		"test://http://h:1":               {"two schemes", "?tls=true"},
		"test://h:1,https://h:2":          {"two schemes"},
		"test:h":                          {"test:", "not followed by //"},
		"test://@h":                       {"neither a user nor a password"},
		"test://:@h":                      {"neither a user nor a password"},
		"test://h?token=a@secret":         {"behind the first / or ?", "%40"},
		"test://?token=@":                 {"%40"},
		"test://user:p@secret@h":          {"%40"},
		"test://user:secret":              {`host "user"`, "followed by an @"},
		"test://user:secret:pw":           {`host "user:..."`},
		"test://h]":                       {`host "h]"`},
		"test://[fe80::1%25]:2]/":         {`host "[fe80:..."`},
		"test://h1;h2":                    {`host "h1;h2"`},
		"test://[h]:1":                    {`host "[h]:..."`},
		"test://%2Frun":                   {`host "%2Frun"`},
		"test://h?token=":                 {`"token" is empty`},
		"test://h?fast":                   {"name=value"},
		"test://h?fast=a+b":               {"%2B", "%20"},
		"test://h?fast=a=b":               {"%3D"},
		"test://h?token=a&secret=":        {"unknown parameter: known are"},
		"test://h?secret/secret=1":        {"unknown parameter: known are"},
		"test://h?fast=1&fast=1":          {"2 times"},
		"test://h?fast=%00":               {"control character"},
		"test-file://file:///secret/x.db": {"two schemes"},
		"secret@test://h":                 {"no scheme"},
	} {
		t.Run(url, func(t *testing.T) {
			_, err := open(t, url, nil)
			wantError(t, err, want...)
		})
	}
}

func TestPathOfAURLMayHaveWhatIsEscaped(t *testing.T) {
	if _, err := open(t, "test://h/a%2Cb%20c/", nil); err != nil {
		t.Fatal(err)
	}
	if opened.Prefix() != "a,b c/" {
		t.Errorf("the prefix is %q", opened.Prefix())
	}
}

func TestTargetIsToldWithThePrefix(t *testing.T) {
	kv, err := store.Open(t.Context(), "memory://target")
	if err != nil {
		t.Fatal(err)
	}
	defer kv.Close()
	if got := store.TargetOf(store.WithPrefix(store.WithPrefix(kv, "a b/"), "c/")).String(); got != `store=memory name=target prefix="a b/c/"` {
		t.Error(got)
	}
	if got := store.TargetOf(memory.New()); got != nil {
		t.Error(got)
	}
	if got, err := store.Resolve("test://a,b:2/app"); err != nil || got.Value("hosts") != "a:1234,b:2" || got.Value("path") != "app" {
		t.Errorf("%v, %v", got, err)
	}
	_, err = store.Resolve("test://user:secret")
	wantError(t, err, `host "user"`)
}

// wantNoPassword wants err not to have what is between the first colon and the
// last @ of a URL, if that is long enough to be told from the other words.
func wantNoPassword(t *testing.T, rawURL string, err error) {
	t.Helper()
	_, rest, _ := strings.Cut(rawURL, "://")
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		_, password, _ := strings.Cut(rest[:at], ":")
		if len(password) > 8 && strings.Contains(err.Error(), password) {
			t.Errorf("%v: it shows the password", err)
		}
	}
}

func TestRedactedURLLeadsToTheSamePlaceWithoutSecrets(t *testing.T) {
	for _, c := range [][2]string{
		{"test://user:s3cret@h:1/a?token=t0ken&fast=1", "test://user:xxxxx@h:1/a?fast=1&token=xxxxx"},
		{"test://h1,h2:9/a", "test://h1:1234,h2:9/a"},
		{"memory://name", "memory://name/"},
	} {
		url, want := c[0], c[1]
		if got, err := store.Redact(url); got != want || err != nil {
			t.Errorf("%s: %s, %v, want %s", url, got, err, want)
		}
	}
	for _, url := range []string{"", "nowhere://h", "test://user:s3cret@h/?unknown=1"} {
		if got, err := store.Redact(url); got != "" || err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %s, %v", url, got, err)
		}
	}
}

package sqlite_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/sqlite"
)

func TestOpenMakesTheFileAndFindsItAgain(t *testing.T) {
	path := newFile(t)
	kv := openURL(t, path)
	pair := put(t, kv, key, "a", nil, 0)
	if err := kv.Close(); err != nil {
		t.Fatal(err)
	}
	// The last one to close has put the log into the file.
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("there are %v", entries)
	}
	read, err := open(t, path).Get(t.Context(), key, nil)
	if err != nil || read.LastIndex != pair.LastIndex {
		t.Errorf("Get = %+v, %v", read, err)
	}
}

func TestOpenNamesWhatIsWrong(t *testing.T) {
	folder := t.TempDir()
	text := filepath.Join(folder, "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string][]string{
		"sqlite://":                                  {"no file", "sqlite:///"},
		"sqlite:///":                                 {"no file"},
		"sqlite://election.db":                       {"relative", "sqlite:///"},
		"sqlite:///:memory:":                         {"memory://name"},
		"sqlite://:memory:":                          {"memory://name"},
		"sqlite::memory:":                            {"sqlite:///absolute/path/of/file"},
		"sqlite:/x.db":                               {"sqlite:///absolute/path/of/file"},
		"sqlite:///file:/x.db":                       {"URI of SQLite's"},
		"sqlite://file:///x.db":                      {"two schemes"},
		"sqlite://" + folder + "/../x.db":            {`".."`, "link"},
		"sqlite://" + folder + "/x.db?mode=memory":   {"mode"},
		"sqlite://" + folder + "/x.db?poll=":         {`"poll" is empty`},
		"sqlite://user:secret@/x.db":                 {"sqlite:///"},
		"sqlite://" + folder + "/missing/x.db":       {folder + "/missing", "no such file"},
		"sqlite://" + text + "/x.db":                 {text, "not a folder"},
		"sqlite://" + folder:                         {folder, "not a file"},
		"sqlite://" + text:                           {text, "not a database"},
		"sqlite://" + folder + "/x.db?poll=1us":      {"poll", "1ms"},
		"sqlite://" + folder + "/x.db?poll=never":    {"poll", "never"},
		"sqlite://" + folder + "/x.db?_pragma=x":     {"_pragma", "known are poll"},
		"sqlite://" + folder + "/x.db?poll=1s&ca=ca": {"ca"},
	} {
		_, err := store.Open(t.Context(), url)
		if err == nil {
			t.Errorf("%s: no error", url)
			continue
		}
		for _, part := range want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v; want it to say %s", url, err, part)
			}
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("it shows the password: %v", err)
		}
	}
	if entries, _ := os.ReadDir(folder); len(entries) != 1 {
		t.Errorf("files were left: %v", entries)
	}
}

func TestNewRefusesWhatItCannotUse(t *testing.T) {
	if _, err := sqlite.New(nil); err == nil {
		t.Error("no error for no database")
	}
	db := openDB(t, newFile(t), "")
	if _, err := sqlite.New(db, sqlite.WithPollInterval(0)); err == nil || !strings.Contains(err.Error(), "1ms") {
		t.Errorf("poll interval: %v", err)
	}
	for name, settings := range map[string]string{"in memory": "mode=memory", "journal mode": ""} {
		kv := newStore(t, openDB(t, newFile(t), settings))
		defer kv.Close()
		if _, err := kv.Get(t.Context(), key, nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFileThatHasGoneIsNoticed(t *testing.T) {
	for name, remove := range map[string]func(path string) error{
		"deleted":  os.Remove,
		"moved":    func(path string) error { return os.Rename(path, path+".old") },
		"replaced": func(path string) error { return os.Rename(path+".other", path) },
	} {
		t.Run(name, func(t *testing.T) {
			path := newFile(t)
			if err := os.WriteFile(path+".other", nil, 0o600); err != nil {
				t.Fatal(err)
			}
			kv := open(t, path)
			pair := put(t, kv, key, "a", nil, 0)
			watch, err := kv.Watch(t.Context(), key, nil)
			if err != nil {
				t.Fatal(err)
			}
			<-watch
			if err := remove(path); err != nil {
				t.Fatal(err)
			}
			for range watch { // it ends
			}
			_, _, err = kv.AtomicPut(t.Context(), key, nil, pair, nil)
			if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "while it was open") {
				t.Errorf("AtomicPut: %v", err)
			}
			if _, err := kv.Get(t.Context(), key, nil); err == nil {
				t.Error("Get: no error")
			}
		})
	}
}

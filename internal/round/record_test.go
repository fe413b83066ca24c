package round

import (
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestRecordReadsAsItWasWritten(t *testing.T) {
	for _, r := range []Record{
		{Winner: "a", Elected: noon},
		{Winner: "a", Elected: noon, Attempt: 7, Millis: 500, Mark: "m"},
		{Winner: "a", Instance: "i", Elected: noon, Failed: &Outcome{"a", noon, []byte("exit code 1")}},
		{Winner: "a", Elected: noon, Completed: &Outcome{"b", noon, []byte("\xff")}},
	} {
		value, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(value)
		if again, _ := got.Encode(); err != nil || string(again) != string(value) {
			t.Errorf("%s is read as %s, %v", value, again, err)
		}
	}
}

// The field is named as by those that wrote it first.
func TestRecordKeepsItsFormat(t *testing.T) {
	value, _ := Record{Winner: "a", Elected: noon, Attempt: 1, Millis: 500, Mark: "m"}.Encode()
	if want := `{"v":1,"kind":"round","winner":"a","elected":"2026-01-02T12:00:00Z","attempt":1,"ttl":500,"bid":"m"}`; string(value) != want {
		t.Errorf("%s, want %s", value, want)
	}
}

func TestForeignValueIsNoRecord(t *testing.T) {
	for _, v := range []string{
		"", "precious", "{}", `{"v":2,"kind":"round","winner":"a"}`, `{"v":1,"kind":"round","winner":"a"}`,
		`{"v":1,"kind":"round","winner":"","elected":"2026-01-02T12:00:00Z"}`,
		`{"v":1,"kind":"round","winner":"a","elected":"2026-01-02T12:00:00Z","ttl":-1}`,
		`{"v":1,"kind":"round","winner":"a","elected":"2026-01-02T12:00:00Z","attempt":4611686018427387904}`,
		`{"v":1,"kind":"round","winner":"a","elected":"2026-01-02T12:00:00Z","ttl":500,"bid":"m"}`,
		`{"v":1,"kind":"round","winner":"a","elected":"2026-01-02T12:00:00Z","attempt":1,"ttl":500}`,
		`{"v":1,"kind":"round","winner":"a","elected":"2026-01-02T12:00:00Z","failed":{"by":"","at":"2026-01-02T12:00:00Z"}}`,
		`{"v":1,"kind":"round","winner":"a","elected":"2026-01-02T12:00:00Z","completed":{"by":"","at":"2026-01-02T12:00:00Z"}}`,
		`{"v":1,"kind":"round","winner":"a","elected":"2026-01-02T12:00:00Z","completed":{"by":"a","at":"0001-01-01T00:00:00Z"}}`,
		`{"v":1,"kind":"election","leader":"a","instance":"i","token":7,"ttl":500,"beat":3,"since":"2026-01-02T03:04:05Z"}`,
		`{"v":1,"kind":"fence","token":7,"check":"x"}`,
	} {
		if r, err := Parse([]byte(v)); err == nil {
			t.Errorf("%s is read as %+v", v, r)
		} else if strings.Contains(err.Error(), "precious") {
			t.Errorf("%v shows the value", err)
		}
	}
}

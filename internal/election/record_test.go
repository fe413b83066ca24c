package election

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/format"
)

func TestRecordSurvivesEncoding(t *testing.T) {
	for _, p := range []string{"", "http://10.0.0.1:80/?a=b&c=<d>", "\x00\xff", "ünï"} {
		want := Record{
			Header: Format, Leader: "node/ü \"1\"", Instance: "i", Token: 1 << 60, Millis: 500, Beat: 3,
			Since: time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC), Last: &Ending{"b", 4, Expired},
		}
		if p != "" {
			want.Payload = format.Bytes(p)
		}
		got, err := Parse(want.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func TestRecordIsReadable(t *testing.T) {
	rec := Record{
		Leader: "a", Instance: "i", Token: 7, Millis: 500, Beat: 3,
		Since: time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC), Payload: format.Bytes("http://h/?a&b"),
	}
	want := `{"v":1,"kind":"election","leader":"a","instance":"i","token":7,"ttl":500,"beat":3,"since":"2026-01-02T03:04:05.006Z","payload":"http://h/?a&b"}`
	if got := string(rec.Encode()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestForeignValuesAreRefused(t *testing.T) {
	for _, v := range []string{
		``, ` `, `null`, `x`, `{}`, `[]`, `7`, `"leader"`,
		`{"v":1,"leader":"a"}`,
		`{"v":1,"winner":"a"}`,
		sample(`{"v":1,`, `{"v":2,`),
		sample(`"election"`, `"Election"`),
		sample(`"election"`, `"fence"`),
		sample(`"kind":"election",`, ``),
		sample(`"token":7`, `"token":0`),
		sample(`"token":7`, `"token":-1`),
		sample(`"token":7`, `"token":18446744073709551615`),
		sample(`"token":7`, `"token":7,"token":7`),
		sample(`"token":7`, `"Token":7`),
		sample(`"token":7`, `"token":6,"Token":7`),
		sample(`"token":7`, `"token":7.0`),
		sample(`"token":7`, `"token":"7"`),
		sample(`"token":7,`, ``),
		sample(`"ttl":500`, `"ttl":0`),
		sample(`"ttl":500`, `"ttl":-5`),
		sample(`"ttl":500`, `"ttl":9223372036854775807`),
		sample(`"ttl":500,`, ``),
		sample(`"beat":3`, `"beat":9223372036854775807`),
		sample(`"beat":3,`, ``),
		sample(`,"since":"2026-01-02T03:04:05Z"`, ``),
		sample(`"leader":"a"`, `"leader":""`),
		sample(`"leader":"a",`, ``),
		sample(`"instance":"i",`, ``),
		sample(`"instance":"i"`, `"instance":""`),
		sample(`"beat":3`, `"beat":3,"session":"s"`),
		sample(`"beat":3`, `"beat":3,"waiting":[]`),
		sample(`"beat":3`, `"beat":3,"ask":{"do":"pause","for":"ever"}`),
		sample(`"token":7,"ttl":500`, `"ttl":500,"token":7`),
		sample(`Z"}`, `Z"} {}`),
		sample(`Z"}`, `Z"}}`),
		`{"v":1,"kind":"election","leader":"","token":7,"ttl":500,"beat":1}`,
		`{"v":1,"kind":"election","leader":"","token":7,"beat":1,"since":"2026-01-02T03:04:05Z"}`,
		`{"v":1,"kind":"election","leader":"","token":7,"beat":1,"payload":"x"}`,
		`{"v":1,"kind":"election","winner":"a"}`,
		`{"v":1,"kind":"round","winner":"a","elected":"1970-01-01T00:00:00.001Z"}`,
		`{"v":1,"kind":"fence","token":7,"check":"QWERTYUIOPASDFGHJKLZXCVBNM"}`,
	} {
		if _, err := Parse([]byte(v)); err == nil {
			t.Errorf("%s: %v", v, err)
		} else if len(v) > 4 && strings.Contains(err.Error(), v) {
			t.Errorf("the error shows what is stored: %v", err)
		}
	}
}

// TestOnlyWhatEncodeWritesIsRead takes the fields of each format apart: what is left without
// one, has one twice, has two in another order, or has the header of another format, is read only
// where Encode writes that.
func TestOnlyWhatEncodeWritesIsRead(t *testing.T) {
	full := Record{
		Leader: "a", Instance: "i", Token: 7, Millis: 500, Beat: 3, Since: time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC), Payload: format.Bytes("p"),
		Last: &Ending{"b", 6, Expired}, Waiting: []Waiter{{"w", 2}}, Ask: &Request{Do: Pause},
	}
	riding, session := full, full
	riding.Session, session.Header = "sessions/s", Sessions
	for _, rec := range []Record{full, riding, session, full.Vacated(4, Resigned), riding.Vacated(4, Resigned), session.Vacated(4, Expired)} {
		parse, other := Parse, ParseSession
		if rec.Kind == Sessions.Kind {
			parse, other = ParseSession, Parse
		}
		value := rec.Encode()
		if got, err := parse(value); err != nil || !bytes.Equal(got.Encode(), value) {
			t.Errorf("%s: %s, %v", value, got.Encode(), err)
		}
		if _, err := other(value); err == nil {
			t.Errorf("%s is read as another kind", value)
		}
		fields := fieldsOf(t, value)
		spoiled := [][]string{slices.Concat(fields, []string{`"more":1`})}
		for i := range fields {
			spoiled = append(spoiled, slices.Delete(slices.Clone(fields), i, i+1), slices.Insert(slices.Clone(fields), i, fields[i]))
			if i > 0 {
				turned := slices.Clone(fields)
				turned[i-1], turned[i] = turned[i], turned[i-1]
				spoiled = append(spoiled, turned)
			}
		}
		for _, header := range []format.Header{Format, Riding, Sessions, {V: 2, Kind: "session"}, {V: 3, Kind: "election"}} {
			changed := slices.Clone(fields)
			changed[0], changed[1] = fmt.Sprintf(`"v":%d`, header.V), fmt.Sprintf(`"kind":%q`, header.Kind)
			if !slices.Equal(changed, fields) {
				spoiled = append(spoiled, changed)
			}
		}
		for _, fields := range spoiled {
			text := "{" + strings.Join(fields, ",") + "}"
			for _, parse := range []func([]byte) (Record, error){Parse, ParseSession} {
				if got, err := parse([]byte(text)); err == nil && string(got.Encode()) != text {
					t.Errorf("%s is read, and written as %s", text, got.Encode())
				}
			}
		}
	}
}

// fieldsOf returns the fields of an object, as they are written.
func fieldsOf(t *testing.T, value []byte) (fields []string) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(value))
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		fields = append(fields, fmt.Sprintf("%q:%s", name, v))
	}
	return fields
}

// sample is the record of a held seat, with a piece of it replaced.
func sample(old, with string) string {
	const sound = `{"v":1,"kind":"election","leader":"a","instance":"i","token":7,"ttl":500,"beat":3,"since":"2026-01-02T03:04:05Z"}`
	return strings.Replace(sound, old, with, 1)
}

func TestRecordMayBeSpacedAndEscapedOtherwise(t *testing.T) {
	for _, v := range []string{
		sample("", ""),
		sample(`,"token"`, ",\n\t\"token\""),
		sample(`"leader":"a"`, `"leader":"\u0061"`),
	} {
		if rec, err := Parse([]byte(v)); err != nil || rec.Leader != "a" || rec.Token != 7 {
			t.Errorf("%s: %+v, %v", v, rec, err)
		}
	}
}

func TestTokensRiseThoughTheWallClockStandsBack(t *testing.T) {
	now := time.UnixMilli(1000)
	for highest, want := range map[uint64]uint64{0: 1000, 999: 1000, 1000: 1001, 5000: 5001} {
		if got := NextToken(highest, now); got != want {
			t.Errorf("after %d: %d, want %d", highest, got, want)
		}
	}
	if got := NextToken(0, time.UnixMilli(-5)); got != 1 {
		t.Errorf("before 1970: %d, want 1", got)
	}
}

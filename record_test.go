package leadership

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/format"
)

func TestRecordSurvivesEncoding(t *testing.T) {
	for _, p := range []string{"", "http://10.0.0.1:80/?a=b&c=<d>", "\x00\xff", "ünï"} {
		want := record{
			Header: electionFormat, Leader: "node/ü \"1\"", Instance: "i", Token: 1 << 60, TTL: 500, Beat: 3,
			Since: time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC), Last: &ending{"b", 4, reasonExpired},
		}
		if p != "" {
			want.Payload = payload(p)
		}
		got, err := parseRecord(want.encode())
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func TestRecordIsReadable(t *testing.T) {
	rec := record{
		Leader: "a", Instance: "i", Token: 7, TTL: 500, Beat: 3,
		Since: time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC), Payload: payload("http://h/?a&b"),
	}
	want := `{"v":1,"kind":"election","leader":"a","instance":"i","token":7,"ttl":500,"beat":3,"since":"2026-01-02T03:04:05.006Z","payload":"http://h/?a&b"}`
	if got := string(rec.encode()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestForeignValuesAreRefused(t *testing.T) {
	for _, v := range []string{
		``, ` `, `null`, `x`, `{}`, `[]`, `7`, `"leader"`,
		`{"v":1,"leader":"a"}`,
		`{"v":1,"winner":"a"}`,
		election(`{"v":1,`, `{"v":2,`),
		election(`"election"`, `"Election"`),
		election(`"election"`, `"fence"`),
		election(`"kind":"election",`, ``),
		election(`"token":7`, `"token":0`),
		election(`"token":7`, `"token":-1`),
		election(`"token":7`, `"token":18446744073709551615`),
		election(`"token":7`, `"token":7,"token":7`),
		election(`"token":7`, `"Token":7`),
		election(`"token":7`, `"token":6,"Token":7`),
		election(`"token":7`, `"token":7.0`),
		election(`"token":7`, `"token":"7"`),
		election(`"token":7,`, ``),
		election(`"ttl":500`, `"ttl":0`),
		election(`"ttl":500`, `"ttl":-5`),
		election(`"ttl":500`, `"ttl":9223372036854775807`),
		election(`"ttl":500,`, ``),
		election(`"beat":3`, `"beat":9223372036854775807`),
		election(`"beat":3,`, ``),
		election(`,"since":"2026-01-02T03:04:05Z"`, ``),
		election(`"leader":"a"`, `"leader":""`),
		election(`"leader":"a",`, ``),
		election(`"instance":"i",`, ``),
		election(`"instance":"i"`, `"instance":""`),
		election(`"beat":3`, `"beat":3,"session":"s"`),
		election(`"beat":3`, `"beat":3,"waiting":[]`),
		election(`"beat":3`, `"beat":3,"ask":{"do":"pause","for":"ever"}`),
		election(`"token":7,"ttl":500`, `"ttl":500,"token":7`),
		election(`Z"}`, `Z"} {}`),
		election(`Z"}`, `Z"}}`),
		`{"v":1,"kind":"election","leader":"","token":7,"ttl":500,"beat":1}`,
		`{"v":1,"kind":"election","leader":"","token":7,"beat":1,"since":"2026-01-02T03:04:05Z"}`,
		`{"v":1,"kind":"election","leader":"","token":7,"beat":1,"payload":"x"}`,
		`{"v":1,"kind":"election","winner":"a"}`,
		string(mustRound(roundRecord{Winner: "a", Elected: time.UnixMilli(1).UTC()})),
		`{"v":1,"kind":"fence","token":7,"check":"QWERTYUIOPASDFGHJKLZXCVBNM"}`,
	} {
		if _, err := parseRecord([]byte(v)); !errors.Is(err, ErrForeignRecord) {
			t.Errorf("%s: %v", v, err)
		} else if len(v) > 4 && strings.Contains(err.Error(), v) {
			t.Errorf("the error shows what is stored: %v", err)
		}
	}
}

// election is the record of a held seat, with a piece of it replaced.
func election(old, with string) string {
	const sound = `{"v":1,"kind":"election","leader":"a","instance":"i","token":7,"ttl":500,"beat":3,"since":"2026-01-02T03:04:05Z"}`
	return strings.Replace(sound, old, with, 1)
}

func mustRound(rec roundRecord) []byte {
	rec.Header = roundFormat
	b, err := format.Marshal(rec)
	if err != nil {
		panic(err)
	}
	return b
}

func TestRecordMayBeSpacedAndEscapedOtherwise(t *testing.T) {
	for _, v := range []string{
		election("", ""),
		election(`,"token"`, ",\n\t\"token\""),
		election(`"leader":"a"`, `"leader":"\u0061"`),
	} {
		if rec, err := parseRecord([]byte(v)); err != nil || rec.Leader != "a" || rec.Token != 7 {
			t.Errorf("%s: %+v, %v", v, rec, err)
		}
	}
}

// A value of one format is foreign to all others, and is left as it is.
func TestRoundOnTheKeyOfAnElectionIsForeign(t *testing.T) {
	for _, v := range []string{election("", ""), `{"v":1,"kind":"fence","token":7,"check":"x"}`} {
		if _, err := parseRound([]byte(v)); !errors.Is(err, ErrForeignRecord) {
			t.Errorf("%s: %v", v, err)
		}
	}
}

func TestTokensRiseThoughTheWallClockStandsBack(t *testing.T) {
	now := time.UnixMilli(1000)
	for highest, want := range map[uint64]uint64{0: 1000, 999: 1000, 1000: 1001, 5000: 5001} {
		if got := nextToken(highest, now); got != want {
			t.Errorf("after %d: %d, want %d", highest, got, want)
		}
	}
	if got := nextToken(0, time.UnixMilli(-5)); got != 1 {
		t.Errorf("before 1970: %d, want 1", got)
	}
}

// FuzzRecord: whatever is accepted survives another encoding.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(election(`Z"}`, `Z","payload":{"base64":"AP8="}}`)))
	f.Add([]byte(`{"v":1,"kind":"election","leader":"","token":7,"beat":1,"last":{"leader":"a","token":7,"reason":"resigned"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		rec, err := parseRecord(b)
		if err != nil {
			return
		}
		once := rec.encode()
		again, err := parseRecord(once)
		if err != nil {
			t.Fatalf("%s: %v", once, err)
		}
		if twice := again.encode(); !bytes.Equal(once, twice) {
			t.Fatalf("%s became %s", once, twice)
		}
	})
}

package leadership

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestRecordSurvivesEncoding(t *testing.T) {
	for _, p := range []string{"", "http://10.0.0.1:80/?a=b&c=<d>", "\x00\xff", "ünï"} {
		want := record{
			V: 1, Leader: "node/ü \"1\"", Instance: "i", Token: 1 << 60, TTL: 500, Beat: 3,
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
		V: 1, Leader: "a", Instance: "i", Token: 7, TTL: 500, Beat: 3,
		Since: time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC), Payload: payload("http://h/?a&b"),
	}
	want := `{"v":1,"leader":"a","instance":"i","token":7,"ttl":500,"beat":3,"since":"2026-01-02T03:04:05.006Z","payload":"http://h/?a&b"}`
	if got := string(rec.encode()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestForeignValuesAreRefused(t *testing.T) {
	for _, v := range []string{
		``, ` `, `null`, `x`, `{}`, `[]`, `7`, `"leader"`,
		`{"v":2,"leader":"a","instance":"i","token":7,"ttl":500}`,
		`{"v":1,"leader":"a","instance":"i","token":0,"ttl":500}`,
		`{"v":1,"leader":"a","instance":"i","token":-1,"ttl":500}`,
		`{"v":1,"leader":"a","instance":"i","token":18446744073709551615,"ttl":500}`,
		`{"v":1,"leader":"a","instance":"i","token":7,"ttl":0}`,
		`{"v":1,"leader":"a","instance":"i","token":7,"ttl":-5}`,
		`{"v":1,"leader":"a","instance":"i","token":7,"ttl":9223372036854775807}`,
		`{"v":1,"leader":"a","token":7,"ttl":500}`,
		`{"v":1,"instance":"i","token":7,"ttl":500}`,
		`{"v":1,"leader":"a","instance":"i","token":7,"ttl":500} {}`,
		`{"v":1,"winner":"a"}`,
	} {
		if _, err := parseRecord([]byte(v)); !errors.Is(err, ErrForeignRecord) {
			t.Errorf("%s: %v", v, err)
		} else if len(v) > 4 && strings.Contains(err.Error(), v) {
			t.Errorf("the error shows what is stored: %v", err)
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
	f.Add([]byte(`{"v":1,"leader":"a","instance":"i","token":7,"ttl":500,"payload":{"base64":"AP8="}}`))
	f.Add([]byte(`{"v":1,"leader":"","token":7,"beat":1,"last":{"leader":"a","token":7,"reason":"resigned"}}`))
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

package format

import (
	"strings"
	"testing"
)

type thing struct {
	Header
	Name  string `json:"name"`
	Count uint64 `json:"count"`
	Note  string `json:"note,omitempty"`
}

var header = Header{V: 1, Kind: "thing"}

func TestOnlyWhatMarshalWritesIsRead(t *testing.T) {
	const good = `{"v":1,"kind":"thing","name":"a b","count":18446744073709551615}`
	for value, ours := range map[string]bool{
		good: true,
		" " + strings.ReplaceAll(good, ",", " ,\n\t") + "\n":                     true,
		strings.Replace(good, "a b", `\u0061\u0020b`, 1):                         true,
		strings.Replace(good, "a b", "\uFFFD", 1):                                true,
		strings.Replace(good, "}", `,"note":"n"}`, 1):                            true,
		strings.Replace(good, "a b", "a\xffb", 1):                                false,
		strings.Replace(good, "a b", `\ud800`, 1):                                false,
		strings.Replace(good, "thing", "Thing", 1):                               false,
		strings.Replace(good, `"kind"`, `"Kind"`, 1):                             false,
		strings.Replace(good, `"v":1`, `"v":1.0`, 1):                             false,
		strings.Replace(good, `"v":1`, `"v":2`, 1):                               false,
		strings.Replace(good, `"v":1,`, "", 1):                                   false,
		strings.Replace(good, `"name":"a b",`, "", 1):                            false,
		strings.Replace(good, `"name"`, `"NAME"`, 1):                             false,
		strings.Replace(good, "}", `,"note":""}`, 1):                             false,
		strings.Replace(good, "}", `,"note":null}`, 1):                           false,
		strings.Replace(good, "}", `,"more":1}`, 1):                              false,
		strings.Replace(good, "}", `,"count":18446744073709551615}`, 1):          false,
		strings.Replace(good, `"v":1,"kind":"thing"`, `"kind":"thing","v":1`, 1): false,
		strings.Replace(good, "18446744073709551615", "18446744073709551616", 1): false,
		strings.Replace(good, "18446744073709551615", "1e3", 1):                  false,
		strings.Replace(good, "18446744073709551615", `"1"`, 1):                  false,
		good + good: false, "[" + good + "]": false, "null": false, "": false, "{}": false, "7": false,
		"\ufeff" + good: false,
	} {
		var v thing
		if err := Unmarshal([]byte(value), &v, header); (err == nil) != ours {
			t.Errorf("%q: %v", value, err)
		}
	}
}

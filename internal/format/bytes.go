package format

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// Bytes are stored as a JSON string where they are UTF-8, so that people can read
// them, and otherwise as an object with the bytes in base64.
type Bytes []byte

type binary struct {
	Base64 []byte `json:"base64"`
}

// MarshalJSON implements json.Marshaler.
func (p Bytes) MarshalJSON() ([]byte, error) {
	if utf8.Valid(p) {
		return Marshal(string(p))
	}
	return Marshal(binary{p})
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *Bytes) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte("{")) {
		var bin binary
		err := json.Unmarshal(b, &bin)
		*p = bin.Base64
		return err
	}
	var s string
	err := json.Unmarshal(b, &s)
	*p = Bytes(s)
	return err
}

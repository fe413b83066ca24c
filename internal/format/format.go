// Package format writes and reads what this library stores: JSON objects that
// say what they are.
package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Header begins every object that is stored.
type Header struct {
	V    int    `json:"v"`
	Kind string `json:"kind"`
}

// Marshal is json.Marshal without the escapes for HTML, for people to read.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// Unmarshal reads value into v, a pointer to a struct that embeds a Header. It
// fails unless value is what Marshal makes of v: each field known, spelled as it
// is there, in the same order, once, and none missing. White space and the
// escapes in strings may differ, where strings are Unicode. value must have one of headers, which
// are versions of one kind, the first of which errors name. No error shows the value.
func Unmarshal(value []byte, v any, headers ...Header) error {
	var found Header
	switch header, err := headers[0], json.Unmarshal(value, &found); {
	case err != nil || found.Kind == "":
		return fmt.Errorf("%d bytes that are no record of this library", len(value))
	case found.Kind != header.Kind:
		return fmt.Errorf("a record of kind %.20q, not %q", found.Kind, header.Kind)
	case !slices.Contains(headers, found):
		return fmt.Errorf("format version %d, not %d", found.V, header.V)
	}
	if err := json.Unmarshal(value, v); err != nil {
		return fmt.Errorf("%d bytes that are no record of kind %q", len(value), found.Kind)
	}
	again, err := Marshal(v)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, value) && !same(again, value) {
		return fmt.Errorf("a record of kind %q with fields that are missing, unknown, misspelled, repeated or out of order", found.Kind)
	}
	return nil
}

// same reports whether two JSON texts consist of the same tokens.
func same(a, b []byte) bool {
	left, right := json.NewDecoder(bytes.NewReader(a)), json.NewDecoder(bytes.NewReader(b))
	left.UseNumber()
	right.UseNumber()
	for {
		l, errL := left.Token()
		r, errR := right.Token()
		switch {
		case errors.Is(errL, io.EOF) && errors.Is(errR, io.EOF):
			return true
		case errL != nil || errR != nil || l != r:
			return false
		}
		// What is no Unicode is read as this, so that which bytes were there is not known.
		if text, ok := l.(string); ok && strings.ContainsRune(text, utf8.RuneError) {
			return false
		}
	}
}

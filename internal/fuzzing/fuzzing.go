// Package fuzzing has what fuzz tests of several packages have in common.
package fuzzing

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
)

// SameJSON reports whether two texts are the same JSON value, with as many tokens: without
// names that occur twice. It does not use package format, whose rules it is for.
func SameJSON(a, b []byte) bool {
	x, n, errX := decode(a)
	y, m, errY := decode(b)
	return errX == nil && errY == nil && n == m && reflect.DeepEqual(x, y)
}

func decode(text []byte) (v any, tokens int, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, 0, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, 0, errors.New("more than one value")
	}
	d = json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	for {
		switch _, err := d.Token(); {
		case errors.Is(err, io.EOF):
			return v, tokens, nil
		case err != nil:
			return nil, 0, err
		}
		tokens++
	}
}

// Shows reports whether the text of an error has what is too long to be there by chance.
func Shows(err error, secret string) bool {
	return err != nil && len(secret) > 12 && strings.Contains(err.Error(), secret)
}

// Package storeerr wraps the errors of stores.
package storeerr

import (
	"fmt"
	"strings"
)

// Wrap returns an error of the store for a caller of a package, with what was asked of
// the store for which key: once, for many stores say so themselves.
func Wrap(pkg, op, key string, err error) error {
	text := err.Error()
	if quoted := fmt.Sprintf("%q", key); strings.Contains(text, op) && strings.Contains(text, quoted[1:]) {
		return fmt.Errorf("%s: %w", pkg, err)
	}
	return fmt.Errorf("%s: %s %q: %w", pkg, op, key, err)
}

package fence

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/seed-a1d591d3/leadership"
)

// ErrStale means that a higher token than this one has been seen. The message
// names the resource, the token and the highest token seen.
var ErrStale = errors.New("stale fencing token")

// maxToken is above every token that an election gives: what is as high would shut all
// leaders out for ever.
const maxToken = 1 << 62

// maxResource is how many bytes the name of a resource may have.
const maxResource = 255

// Checker checks tokens. Its methods are safe for concurrent use.
type Checker interface {
	// Check returns nil if token is not below the highest token that has passed
	// for resource, of which it is one from then on, and ErrStale if it is. It
	// returns leadership.ErrInvalidArgument for token 0, for one from 2^62 on, which no
	// election gives, and for a resource that is not 1 to 255 bytes of UTF-8 without NUL, "." or "..". After any
	// other error it is not known whether the token is stale, and it must not
	// be acted upon.
	Check(ctx context.Context, resource string, token uint64) error
}

// Judge returns nil if token is at least highest, and ErrStale otherwise. It
// completes what [SQL.Statements] begins.
func Judge(resource string, token, highest uint64) error {
	if token < highest {
		return fmt.Errorf("fence: %w: %d for %q, where %d has been seen", ErrStale, token, resource, highest)
	}
	return nil
}

// checkArguments says what is wrong with a resource and a token.
func checkArguments(resource string, token uint64) error {
	switch {
	case token == 0:
		return invalid("token", "0", "must be that of a term, above 0")
	case token >= maxToken:
		return invalid("token", fmt.Sprint(token), "must be that of a term, below 2^62")
	case resource == "":
		return invalid("resource", `""`, "must not be empty")
	case len(resource) > maxResource || !utf8.ValidString(resource) || strings.Contains(resource, "\x00") ||
		resource == "." || resource == "..":
		return invalid("resource", fmt.Sprintf("%.300q", resource),
			`must be up to 255 bytes of UTF-8, have no NUL, and be neither "." nor ".."`)
	}
	return nil
}

func invalid(argument, value, rule string) error {
	return fmt.Errorf("fence: %w: %s is %s: %s", leadership.ErrInvalidArgument, argument, value, rule)
}

package store

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
)

// Target is the place where a store keeps its keys, which follows from its URL, the
// environment and the server: names and values, such as the hosts, the database and the
// prefix of the keys. It has no secrets. Nodes that are to elect one leader need Targets
// that mean the same place.
type Target []slog.Attr

// String returns the target as name=value name=value.
func (t Target) String() string {
	var parts []string
	for _, a := range t {
		value := a.Value.String()
		if quoted := strconv.Quote(value); quoted != `"`+value+`"` || value == "" || strings.ContainsAny(value, " =") {
			value = quoted
		}
		parts = append(parts, a.Key+"="+value)
	}
	return strings.Join(parts, " ")
}

// LogValue returns the target as a group.
func (t Target) LogValue() slog.Value { return slog.GroupValue(t...) }

// Value returns the value of a name, or "".
func (t Target) Value(name string) string {
	for _, a := range t {
		if a.Key == name {
			return a.Value.String()
		}
	}
	return ""
}

// NewTarget returns the target of alternating names and values. Empty values are left
// out.
func NewTarget(namesAndValues ...string) Target {
	var t Target
	for i := 0; i+1 < len(namesAndValues); i += 2 {
		if namesAndValues[i+1] != "" {
			t = append(t, slog.String(namesAndValues[i], namesAndValues[i+1]))
		}
	}
	return t
}

// prefixed returns the target of a view whose keys begin with prefix.
func (t Target) prefixed(prefix string) Target {
	var all Target
	for _, a := range t {
		if a.Key == "prefix" {
			prefix = a.Value.String() + prefix
			continue
		}
		all = append(all, a)
	}
	return append(all, slog.String("prefix", prefix))
}

// TargetOf returns where kv keeps its keys, if it has a method Target() Target, as stores
// from Open do, and nil otherwise.
func TargetOf(kv Store) Target {
	if t, ok := kv.(interface{ Target() Target }); ok {
		return t.Target()
	}
	return nil
}

// Resolve returns where Open would keep the keys of a URL, as far as that is known
// without connecting. It reads the environment and the files that the URL and the
// environment name. Its error is that of Open.
func Resolve(rawURL string) (Target, error) {
	u, driver, err := parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("resolve store: %w", err)
	}
	if driver.Resolve == nil {
		return NewTarget("store", u.Scheme, "hosts", strings.Join(u.Hosts, ","), "path", u.Path), nil
	}
	target, err := driver.Resolve(u)
	if err != nil {
		return nil, fmt.Errorf("resolve %s: %w", u, u.scrub(err))
	}
	return target, nil
}

// Redact returns the URL of a store without its secrets, as errors of Open show it: xxxxx
// stands for each of them. Otherwise it leads to the same store. Its error is that of Resolve.
func Redact(rawURL string) (string, error) {
	u, driver, err := parse(rawURL)
	if err != nil {
		return "", fmt.Errorf("redact store: %w", err)
	}
	if driver.Resolve != nil {
		if _, err := driver.Resolve(u); err != nil { // it also finds what may be a secret
			return "", fmt.Errorf("redact %s: %w", u, u.scrub(err))
		}
	}
	return u.String(), nil
}

// tell logs where a store that was opened keeps its keys.
func tell(ctx context.Context, kv Store) Store {
	if t := TargetOf(kv); t != nil {
		slog.DebugContext(ctx, "store opened", "target", t)
	}
	return kv
}

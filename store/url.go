package store

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// URL is the parsed URL of a store, for a Driver:
//
//	scheme://user:password@host1:port,host2:port/path?name=value
//
// Its methods are not safe for concurrent use.
type URL struct {
	// Scheme is in lower case.
	Scheme string

	// User and Password are decoded. HasUser reports whether the URL has either.
	User, Password string
	HasUser        bool

	// Hosts are written host:port, with the Driver's port if the URL has none, and empty
	// if the URL names no host. Portless reports whether the URL has no port.
	Hosts    []string
	Portless bool

	// Path is decoded, without its first slash.
	Path string

	name    bool // Hosts are no hosts, but what the scheme takes for one
	params  map[string]string
	secrets []string // what no error may show
}

// secretParams are the parameters whose values are not shown.
var secretParams = []string{"password", "token", "sentinel_password", "sslpassword"}

// String returns the URL without its secrets, for errors and logs. But for those it is
// parsed as the URL was.
func (u *URL) String() string {
	var b strings.Builder
	b.WriteString(u.Scheme + "://")
	if u.HasUser {
		user := escape(u.User)
		if slices.Contains(u.secrets, u.User) {
			user = "xxxxx"
		}
		b.WriteString(user)
		if u.Password != "" {
			b.WriteString(":xxxxx")
		}
		b.WriteString("@")
	}
	b.WriteString(u.shownHosts() + "/" + pathMarks.Replace((&url.URL{Path: u.Path}).EscapedPath()))
	separator := "?"
	for _, name := range slices.Sorted(maps.Keys(u.params)) {
		value := escape(u.params[name])
		if slices.Contains(secretParams, name) || slices.Contains(u.secrets, u.params[name]) {
			value = "xxxxx"
		}
		b.WriteString(separator + name + "=" + value)
		separator = "&"
	}
	return b.String()
}

// pathMarks escapes what is refused in a path, and hostMarks what is in a host.
var (
	pathMarks = strings.NewReplacer(",", "%2C", "@", "%40", "://", "%3A//")
	hostMarks = strings.NewReplacer("%", "%25", "/", "%2F")
)

// escape escapes a text for any part of a URL.
func escape(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

// shownHosts returns the hosts, without the ports that the URL does not have: those may
// come from elsewhere.
func (u *URL) shownHosts() string {
	var hosts []string
	for _, hostport := range u.Hosts {
		host, port, err := net.SplitHostPort(hostport)
		switch host = hostMarks.Replace(host); {
		case u.name || err != nil:
			host = escape(hostport)
		case !u.Portless:
			host = net.JoinHostPort(host, port)
		case strings.Contains(host, ":"):
			host = "[" + host + "]"
		}
		hosts = append(hosts, host)
	}
	return strings.Join(hosts, ",")
}

// Hide keeps a secret that is not in the URL, such as a password from the environment,
// out of the errors of Open. An empty secret is ignored.
func (u *URL) Hide(secret string) {
	if secret != "" {
		u.secrets = append(u.secrets, secret)
	}
}

// Has reports whether the URL has the parameter.
func (u *URL) Has(name string) bool {
	_, ok := u.params[name]
	return ok
}

// Setting returns the value of a parameter, or else of the first environment variable
// that is not empty, or else "".
func (u *URL) Setting(name string, env ...string) string {
	value, _ := u.setting(name, env...)
	return value
}

// setting also returns where the value comes from, in words.
func (u *URL) setting(name string, env ...string) (value, from string) {
	if value, ok := u.params[name]; ok {
		return value, fmt.Sprintf("parameter %q", name)
	}
	for _, variable := range env {
		if value := os.Getenv(variable); value != "" {
			if slices.Contains(secretParams, name) {
				u.Hide(value)
			}
			return value, "$" + variable
		}
	}
	return "", fmt.Sprintf("parameter %q", name)
}

// Bool returns the value of a boolean parameter or environment variable, and false if
// neither is set.
func (u *URL) Bool(name string, env ...string) (bool, error) {
	value, from := u.setting(name, env...)
	if value == "" && !u.Has(name) {
		return false, nil
	}
	b, err := strconv.ParseBool(value)
	if err != nil {
		return false, fmt.Errorf("%s is %q and must be true or false", from, value)
	}
	return b, nil
}

// Duration returns the value of a parameter that is a positive duration such as 50ms, and
// fallback if it is not set.
func (u *URL) Duration(name string, fallback time.Duration) (time.Duration, error) {
	value, ok := u.params[name]
	if !ok {
		return fallback, nil
	}
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("parameter %q is %q and must be a positive duration such as 50ms", name, value)
	}
	return d, nil
}

// Prefix returns the prefix of the store's keys: the path with one slash at its end, or
// "" if there is no path.
func (u *URL) Prefix() string {
	path := strings.Trim(u.Path, "/")
	if path == "" {
		return ""
	}
	return path + "/"
}

// PrefixSetting returns the prefix of the store's keys in a parameter: its value with one
// slash at its end, or "" if it is not set. The rules for the value are those for the path
// of a URL.
func (u *URL) PrefixSetting(name string) (string, error) {
	value := strings.Trim(u.Setting(name), "/")
	if err := checkPrefix(fmt.Sprintf("parameter %q", name), value); err != nil {
		return "", err
	}
	return (&URL{Path: value}).Prefix(), nil
}

// scrub removes the secrets from an error. If there were any, errors.Is still works on
// the result, but it cannot be unwrapped.
func (u *URL) scrub(err error) error {
	text := err.Error()
	for _, secret := range u.secrets {
		text = strings.ReplaceAll(text, secret, "xxxxx")
		// As Go's %q, and a URL, write it.
		text = strings.ReplaceAll(text, strings.Trim(strconv.Quote(secret), `"`), "xxxxx")
		text = strings.ReplaceAll(text, url.QueryEscape(secret), "xxxxx")
		text = strings.ReplaceAll(text, url.PathEscape(secret), "xxxxx")
	}
	if text == err.Error() {
		return err
	}
	return scrubbed{err, text}
}

type scrubbed struct {
	err  error
	text string
}

func (s scrubbed) Error() string        { return s.text }
func (s scrubbed) Is(target error) bool { return errors.Is(s.err, target) }

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

// URL is the URL of a store, taken apart, for a Driver:
//
//	scheme://user:password@host1:port,host2:port/path?name=value
//
// Its methods are not safe for concurrent use.
type URL struct {
	// Scheme is in lower case.
	Scheme string

	// User and Password are decoded. HasUser tells whether the URL had
	// either.
	User, Password string
	HasUser        bool

	// Hosts are host:port, those without a port with the Driver's. Empty where
	// the URL names none.
	Hosts []string

	// Path is decoded, and without the slash that ends the hosts.
	Path string

	params  map[string]string
	secrets []string // what no error may show
}

// secretParams are the parameters whose values are not shown.
var secretParams = []string{"password", "token", "sentinel_password"}

// parse takes rawURL apart. Not by net/url: that refuses a list of hosts, and
// quotes in its errors what may be a password.
func parse(rawURL string) (*URL, Driver, error) {
	scheme, rest, ok := strings.Cut(rawURL, "://")
	if !ok || scheme == "" {
		return nil, Driver{}, fmt.Errorf("the URL has no scheme: want one of %s followed by ://", strings.Join(Schemes(), ", "))
	}
	u := &URL{Scheme: strings.ToLower(scheme)}
	drivers.RLock()
	driver, known := drivers.byScheme[u.Scheme]
	drivers.RUnlock()
	if !known {
		return nil, Driver{}, fmt.Errorf("unknown scheme %q: known are %s (forgotten import?)", scheme, strings.Join(Schemes(), ", "))
	}
	if err := u.parse(rest, driver); err != nil {
		return nil, Driver{}, fmt.Errorf("the %s URL: %w", u.Scheme, err)
	}
	return u, driver, nil
}

func (u *URL) parse(rest string, driver Driver) error {
	if strings.Contains(rest, "#") {
		return errors.New("it has a fragment: write # as %23")
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, path, _ := strings.Cut(rest, "/")
	if driver.Port > 0 {
		switch {
		case strings.Contains(path, "@"):
			return errLostPassword
		case strings.Contains(query, "@"):
			// If there is anything wrong with it, then what is quoted may be a
			// password.
			if u.take(authority, path, query, driver) != nil {
				return errLostPassword
			}
			return nil
		}
	}
	return u.take(authority, path, query, driver)
}

// errLostPassword says that a / or ? has cut a login in two: what lies before it
// would be taken for a host, and shown.
var errLostPassword = errors.New("it has an @ behind the first / or ?: in a user or password write / as %2F and ? as %3F, elsewhere @ as %40")

// take takes in the parts of a URL.
func (u *URL) take(authority, path, query string, driver Driver) error {
	hosts := authority
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		hosts = authority[at+1:]
		if err := u.parseUser(authority[:at]); err != nil {
			return err
		}
	}
	var err error
	if u.Path, err = url.PathUnescape(path); err != nil {
		return errors.New("the path has a % that no two hexadecimal digits follow")
	}
	if err := u.parseQuery(query, driver.Params); err != nil {
		return err
	}
	return u.parseHosts(hosts, driver)
}

func (u *URL) parseUser(userinfo string) error {
	user, password, _ := strings.Cut(userinfo, ":")
	var errUser, errPassword error
	u.User, errUser = url.PathUnescape(user)
	u.Password, errPassword = url.PathUnescape(password)
	if errUser != nil || errPassword != nil {
		return errors.New("the user or password has a % that no two hexadecimal digits follow: write % as %25")
	}
	u.HasUser = true
	u.Hide(u.Password)
	u.Hide(password)
	return nil
}

func (u *URL) parseQuery(query string, known []string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("its parameters are not written as name=value&name=value, with % as %25")
	}
	u.params = make(map[string]string)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value := values[name]
		switch {
		case !slices.Contains(known, name):
			return fmt.Errorf("unknown parameter %q: known are %s", name, strings.Join(slices.Sorted(slices.Values(known)), ", "))
		case len(value) > 1:
			return fmt.Errorf("parameter %q is there %d times", name, len(value))
		}
		u.params[name] = value[0]
		if slices.Contains(secretParams, name) {
			u.Hide(value[0])
		}
	}
	return nil
}

func (u *URL) parseHosts(hosts string, driver Driver) error {
	if driver.Port == 0 {
		// The scheme decides what stands for a host, if anything.
		if hosts != "" {
			u.Hosts = []string{hosts}
		}
		return nil
	}
	if hosts == "" {
		if driver.Hostless {
			return nil
		}
		return errors.New("it names no host")
	}
	for _, host := range strings.Split(hosts, ",") {
		hostport, err := withPort(host, driver.Port)
		if err != nil {
			return err
		}
		u.Hosts = append(u.Hosts, hostport)
	}
	return nil
}

// withPort returns host:port with the port that host has, or else port.
func withPort(host string, port int) (string, error) {
	name, given, err := net.SplitHostPort(host)
	var addrErr *net.AddrError
	switch {
	case err == nil:
		if n, err := strconv.ParseUint(given, 10, 16); err != nil || n == 0 {
			return "", fmt.Errorf("host %q: the port is %q and must be from 1 to 65535", name, given)
		}
	case errors.As(err, &addrErr) && addrErr.Err == "missing port in address":
		name, given = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), strconv.Itoa(port)
	default:
		return "", fmt.Errorf("host %q: want host, host:port or [IPv6]:port", host)
	}
	if name == "" || strings.ContainsAny(name, " []%\t\r\n") {
		return "", fmt.Errorf("host %q: want host, host:port or [IPv6]:port", host)
	}
	return net.JoinHostPort(name, given), nil
}

// String returns the URL without its secrets, for errors and logs.
func (u *URL) String() string {
	var b strings.Builder
	b.WriteString(u.Scheme + "://")
	if u.HasUser {
		b.WriteString(url.PathEscape(u.User))
		if u.Password != "" {
			b.WriteString(":xxxxx")
		}
		b.WriteString("@")
	}
	b.WriteString(strings.Join(u.Hosts, ",") + "/" + (&url.URL{Path: u.Path}).EscapedPath())
	separator := "?"
	for _, name := range slices.Sorted(maps.Keys(u.params)) {
		value := url.QueryEscape(u.params[name])
		if slices.Contains(secretParams, name) {
			value = "xxxxx"
		}
		b.WriteString(separator + name + "=" + value)
		separator = "&"
	}
	return b.String()
}

// Hide keeps a secret that is not in the URL, such as a password from the
// environment, out of the errors of Open. It does nothing for "".
func (u *URL) Hide(secret string) {
	if secret != "" {
		u.secrets = append(u.secrets, secret)
	}
}

// Has tells whether the URL has the parameter.
func (u *URL) Has(name string) bool {
	_, ok := u.params[name]
	return ok
}

// Setting returns the value of a parameter, or else of the first of the
// environment variables that is set and not empty, or else "".
func (u *URL) Setting(name string, env ...string) string {
	value, _ := u.setting(name, env...)
	return value
}

// setting tells also where the value is from, in words.
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

// Bool returns a parameter, or environment variable, that is true or false, and
// false when neither is there.
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

// Duration returns a parameter that is a positive duration such as 50ms, and
// fallback when it is not there.
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

// Prefix returns what the store's keys begin with: the path with one slash at
// its end, or "" where the URL has none.
func (u *URL) Prefix() string {
	path := strings.Trim(u.Path, "/")
	if path == "" {
		return ""
	}
	return path + "/"
}

// scrub takes the secrets out of an error. What is left can be asked by
// errors.Is, but not unwrapped, if there was one in it.
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

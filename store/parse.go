package store

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// What may be quoted in an error. Anything else may be part of a password.
var (
	schemeLike = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*$`)
	nameLike   = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,40}$`)
	portLike   = regexp.MustCompile(`^[0-9]{0,5}$`)
)

// parse parses rawURL. It does not use net/url, which refuses a list of hosts, and whose
// errors may quote a password. It refuses what two readers may understand differently.
func parse(rawURL string) (*URL, Driver, error) {
	if strings.ContainsFunc(rawURL, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return nil, Driver{}, errors.New("the URL has a blank or a control character in it: take it out, or write it with %, as %20 for a blank")
	}
	scheme, rest, ok := strings.Cut(rawURL, "://")
	if !ok || !schemeLike.MatchString(scheme) {
		return nil, Driver{}, noScheme(rawURL)
	}
	u := &URL{Scheme: strings.ToLower(scheme)}
	driver, known := driverOf(u.Scheme)
	if !known {
		return nil, Driver{}, unknownScheme(u.Scheme)
	}
	if err := u.parse(rest, driver); err != nil {
		return nil, Driver{}, fmt.Errorf("the %s URL: %w", u.Scheme, err)
	}
	return u, driver, nil
}

// packages are the folders of this one, and the schemes that each of them registers.
var packages = map[string]string{
	"consul": "consul", "etcd": "etcd", "memory": "memory", "postgres": "postgres postgresql", "sqlite": "sqlite", "zookeeper": "zookeeper",
	"redis": "redis rediss redis+cluster redis+sentinel rediss+cluster rediss+sentinel unix " +
		"valkey valkeys valkey+cluster valkey+sentinel valkeys+cluster valkeys+sentinel",
}

// unknownScheme returns an error for a scheme without a registered driver. It names the
// import that is missing or, if none is, the schemes that are registered.
func unknownScheme(scheme string) error {
	for folder, schemes := range packages {
		if slices.Contains(strings.Fields(schemes), scheme) {
			return fmt.Errorf("scheme %q is not registered: import _ %q", scheme, "github.com/seed-a1d591d3/leadership/store/"+folder)
		}
	}
	return fmt.Errorf("unknown scheme %q: known are %s", scheme, strings.Join(Schemes(), ", "))
}

func driverOf(scheme string) (Driver, bool) {
	drivers.RLock()
	defer drivers.RUnlock()
	d, known := drivers.byScheme[scheme]
	return d, known
}

func noScheme(rawURL string) error {
	if strings.ContainsAny(rawURL[:min(1, len(rawURL))], "\"'") {
		return errors.New("the URL begins with a quotation mark, as in a file of variables that no shell reads: remove the marks")
	}
	scheme, _, _ := strings.Cut(rawURL, ":")
	if d, known := driverOf(strings.ToLower(scheme)); known {
		return fmt.Errorf("%s: is not followed by //%s", strings.ToLower(scheme), d.want())
	}
	return fmt.Errorf("the URL has no scheme: want one of %s followed by ://", strings.Join(Schemes(), ", "))
}

// want returns the end of an error: what a URL of the scheme looks like.
func (d Driver) want() string {
	if d.Example == "" {
		return ""
	}
	return ": want " + d.Example
}

func (u *URL) parse(rest string, driver Driver) error {
	if strings.Contains(rest, "#") {
		return errors.New("it has a fragment, which means nothing to a store: write # as %23")
	}
	rest, query, _ := strings.Cut(rest, "?")
	if strings.Contains(rest, "://") {
		tls := ""
		if slices.Contains(driver.Params, "tls") {
			tls = ", with ?tls=true for https"
		}
		return fmt.Errorf("it has two schemes%s%s", driver.want(), tls)
	}
	authority, path, _ := strings.Cut(rest, "/")
	host := authority[strings.LastIndex(authority, "@")+1:]
	if driver.Port == 0 && host != "" && strings.Contains(path+query, "@") {
		return errLostPassword // in a path without a host an @ is a part of a name
	}
	if driver.Port > 0 {
		switch {
		case strings.Contains(path, "@"):
			return errLostPassword
		case strings.Contains(query, "@"):
			// libpq and pgx take all before it for a user, unless there is a / before.
			if !strings.Contains(rest, "/") {
				return errLostPassword
			}
			// If the URL is invalid for another reason, that error might quote a
			// password.
			if u.take(authority, path, query, driver) != nil {
				return errLostPassword
			}
			for _, value := range u.params {
				if strings.Contains(value, "@") {
					u.Hide(value)
				}
			}
			return nil
		}
	}
	return u.take(authority, path, query, driver)
}

// errLostPassword means that a / or ? has cut a login in two: the part before it would be
// read as a host, and shown.
var errLostPassword = errors.New("it has an @ behind the first / or ?: in a user or password write / as %2F and ? as %3F, elsewhere @ as %40")

// take parses the parts of a URL.
func (u *URL) take(authority, path, query string, driver Driver) error {
	hosts := authority
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		hosts = authority[at+1:]
		if err := u.parseUser(authority[:at], driver); err != nil {
			return err
		}
	}
	if err := u.parsePath(path, driver); err != nil {
		return err
	}
	if err := u.parseQuery(query, driver.Params); err != nil {
		return err
	}
	return u.parseHosts(hosts, driver)
}

func (u *URL) parseUser(userinfo string, driver Driver) error {
	if strings.Contains(userinfo, "@") { // which some readers take for its end
		return errors.New("the user or password has an @ in it: write it as %40")
	}
	user, password, _ := strings.Cut(userinfo, ":")
	var errUser, errPassword error
	u.User, errUser = url.PathUnescape(user)
	u.Password, errPassword = url.PathUnescape(password)
	if errUser != nil || errPassword != nil {
		return errors.New("the user or password has a % that no two hexadecimal digits follow: write % as %25")
	}
	u.HasUser = user != "" || password != ""
	if !u.HasUser && !driver.EmptyUser {
		return errors.New("it has an @ with neither a user nor a password before it: remove it, or check where they should come from")
	}
	u.Hide(u.Password)
	u.Hide(password)
	return nil
}

func (u *URL) parsePath(path string, driver Driver) error {
	var err error
	if u.Path, err = url.PathUnescape(path); err != nil {
		return errors.New("the path has a % that no two hexadecimal digits follow: write % as %25")
	}
	if strings.ContainsFunc(u.Path, unicode.IsControl) {
		return errors.New("the path has a control character in it")
	}
	if driver.Port == 0 {
		return nil // the path of a file, for example
	}
	if strings.Contains(path, ",") {
		return fmt.Errorf("the path has a comma in it: hosts are listed before the first / of the URL, and a comma in the path is written %%2C%s", driver.want())
	}
	return checkPrefix("the path", u.Path)
}

// checkPrefix refuses a path that people, proxies and other tools would shorten, each in
// its own way: two nodes might then use two prefixes.
func checkPrefix(what, prefix string) error {
	prefix = strings.TrimSuffix(prefix, "/")
	if prefix == "" {
		return nil
	}
	for _, part := range strings.Split(prefix, "/") {
		switch part {
		case "":
			return fmt.Errorf("%s has an empty part: write one / where two are together", what)
		case ".", "..":
			return fmt.Errorf("%s has the part %q, which would not be resolved: write the path without it", what, part)
		}
	}
	return nil
}

func (u *URL) parseQuery(query string, known []string) error {
	u.params = make(map[string]string)
	if query == "" {
		return nil
	}
	times := make(map[string]int)
	secret := false // an & in the secret before may not have been escaped
	for piece := range strings.SplitSeq(query, "&") {
		rawName, rawValue, ok := strings.Cut(piece, "=")
		name, errName := url.PathUnescape(rawName)
		value, errValue := url.PathUnescape(rawValue)
		if !ok || errName != nil || errValue != nil || strings.ContainsAny(piece, "+;") || strings.Contains(rawValue, "=") {
			// The meaning of + and ; depends on the reader, and libpq refuses another =.
			return errors.New("its parameters are not written as name=value&name=value, with & as %26, % as %25, + as %2B, ; as %3B, = as %3D and a blank as %20")
		}
		if !slices.Contains(known, name) {
			which := fmt.Sprintf(" %q", name)
			if secret || !nameLike.MatchString(name) {
				which = ""
			}
			return fmt.Errorf("unknown parameter%s: %s", which, knownParams(known))
		}
		times[name]++
		u.params[name] = value
		if secret = slices.Contains(secretParams, name); secret {
			u.Hide(value)
			u.Hide(rawValue)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(times)) {
		switch {
		case times[name] > 1:
			return fmt.Errorf("parameter %q occurs %d times", name, times[name])
		case u.params[name] == "":
			return fmt.Errorf("parameter %q is empty: give it a value or take it out", name)
		case strings.ContainsFunc(u.params[name], unicode.IsControl):
			return fmt.Errorf("parameter %q has a control character in it", name)
		}
	}
	return nil
}

func knownParams(known []string) string {
	if len(known) == 0 {
		return "there are none"
	}
	return "known are " + strings.Join(slices.Sorted(slices.Values(known)), ", ")
}

func (u *URL) parseHosts(hosts string, driver Driver) error {
	u.Portless = true
	if hosts == "" {
		if driver.Port == 0 || driver.Hostless {
			return nil
		}
		return fmt.Errorf("it names no host%s", driver.want())
	}
	if driver.Port == 0 {
		// The meaning of the host, if any, depends on the scheme.
		host, err := url.PathUnescape(hosts)
		if err != nil || strings.ContainsFunc(host, unicode.IsControl) {
			return errors.New("the part before the path is not encoded as in a URL: write % as %25")
		}
		u.Hosts, u.name = []string{host}, true
		return nil
	}
	for host := range strings.SplitSeq(hosts, ",") {
		hostport, ported, err := withPort(host, driver)
		if err != nil {
			return err
		}
		u.Hosts = append(u.Hosts, hostport)
		u.Portless = u.Portless && !ported
	}
	return nil
}

// HostPort returns host:port with the port that host has, or else port. Its error does
// not quote what may be a password.
func HostPort(host string, port int) (string, error) {
	hostport, _, err := withPort(host, Driver{Port: port})
	return hostport, err
}

// withPort returns host:port with the port that host has, or else the driver's, and
// reports whether host has one.
func withPort(host string, driver Driver) (hostport string, ported bool, err error) {
	name, port, err := net.SplitHostPort(host)
	var addrErr *net.AddrError
	missing := errors.As(err, &addrErr) && addrErr.Err == "missing port in address"
	if missing {
		name, err = host, nil
		if strings.HasPrefix(host, "[") {
			name = strings.TrimSuffix(host[1:], "]")
		}
	}
	if err == nil {
		name, err = url.PathUnescape(name)
	}
	if err != nil || !isHost(name, strings.HasPrefix(host, "["), driver.Sockets) {
		// What follows a colon may be a password without its @.
		shown, rest, _ := strings.Cut(host, ":")
		if rest != "" {
			shown += ":..."
		}
		return "", false, fmt.Errorf("host %q: want host, host:port or [IPv6]:port%s", shown, driver.want())
	}
	if missing {
		return net.JoinHostPort(name, strconv.Itoa(driver.Port)), false, nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		if !portLike.MatchString(port) {
			return "", false, fmt.Errorf("host %q: the part after the colon is not a port from 1 to 65535 (a password must be followed by an @)", name)
		}
		return "", false, fmt.Errorf("host %q: the port is %q and must be from 1 to 65535", name, port)
	}
	return net.JoinHostPort(name, strconv.FormatUint(n, 10)), true, nil
}

// isHost reports whether name is an address, a DNS name or, if sockets are allowed, the
// path of their folder.
func isHost(name string, bracketed, sockets bool) bool {
	if strings.HasPrefix(name, "/") {
		return sockets && !bracketed && !strings.ContainsFunc(name, func(r rune) bool { return r == ',' || unicode.IsControl(r) })
	}
	if addr, err := netip.ParseAddr(name); err == nil {
		return addr.Is6() == bracketed && !strings.ContainsFunc(addr.Zone(), isNoLetter)
	}
	return name != "" && !bracketed && !strings.ContainsFunc(name, isNoLetter)
}

// isNoLetter reports whether a rune is in no name.
func isNoLetter(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-._", r)
}

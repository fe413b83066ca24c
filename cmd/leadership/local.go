package main

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/spf13/pflag"
)

// localFlag is for commands that do something which is to be done on one machine.
func (p *program) localFlag(flags *pflag.FlagSet) {
	flags.BoolVar(&p.local, "local", false, "the store is meant to be this machine's own: do not warn of it")
}

// warnOfLocal tells people, in a pipe too, what localHint says.
func (p *program) warnOfLocal(name string) {
	if hint := p.localHint(name); hint != "" {
		fmt.Fprintln(p.stderr, "leadership: "+hint)
	}
}

// localHint says that each machine has another store than this one, of that name,
// where that may be so and is not known to be meant; or else nothing.
func (p *program) localHint(name string) string {
	if p.local {
		return ""
	}
	_, address := p.namedStore()
	if address == "" {
		return fmt.Sprintf("no store is named: using %s, for this user on this machine alone; name one by --store or LEADERSHIP_STORE, or say --local", name)
	}
	if why := onlyHere(address, p.env); why != "" {
		return fmt.Sprintf("%s is %s: another machine would take it for another store, and elect for itself; name one that all reach, or say --local", name, why)
	}
	return ""
}

// onlyHere says what makes a URL mean another store on each machine, or nothing.
func onlyHere(address string, env func(string) string) string {
	address, query, _ := strings.Cut(address, "?")
	scheme, rest, _ := strings.Cut(address, "://")
	scheme = strings.ToLower(scheme)
	authority, _, _ := strings.Cut(rest, "/")
	hosts := authority[strings.LastIndexByte(authority, '@')+1:]
	switch {
	case scheme == "sqlite":
		return "a file"
	case scheme == "memory":
		return "in the memory of this process"
	case strings.HasSuffix(scheme, "unix"), hosts == "" && (strings.HasPrefix(scheme, "redis") || strings.HasPrefix(scheme, "valkey")):
		return "a socket of this machine"
	case scheme == "consul":
		return "" // the agent of this machine, as Consul would have it
	case strings.HasPrefix(scheme, "postgres"):
		if values, err := url.ParseQuery(query); err == nil && values.Get("host") != "" {
			hosts = values.Get("host")
		}
		if hosts == "" {
			hosts = env("PGHOST")
		}
		if hosts == "" {
			return "a server of this machine"
		}
	case scheme == "etcd" && hosts == "":
		hosts = strings.NewReplacer("http://", "", "https://", "").Replace(env("ETCDCTL_ENDPOINTS"))
	}
	why := ""
	for host := range strings.SplitSeq(hosts, ",") {
		if name, err := url.PathUnescape(host); err == nil {
			host = strings.TrimSpace(name)
		}
		switch {
		case strings.HasPrefix(host, "/"):
			why = "a socket of this machine"
		case loopback(host):
			why = "at an address of this machine"
		default:
			return "" // one that others may reach, or that is not known
		}
	}
	return why
}

// loopback reports whether a host, or host:port, is this machine itself.
func loopback(host string) bool {
	host, _, _ = strings.Cut(host, "/")
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip.IsLoopback() || ip.IsUnspecified()
}

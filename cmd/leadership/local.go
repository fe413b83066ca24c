package main

import (
	"fmt"
	"net"
	"strings"

	"github.com/spf13/pflag"

	"github.com/seed-a1d591d3/leadership/store"
)

// localFlag adds --local, for commands that call openCommonStore.
func (p *program) localFlag(flags *pflag.FlagSet) {
	flags.BoolVar(&p.local, "local", false, "the store is meant to be this machine's own: do not warn")
}

// warnOfLocal prints what localHint returns, also in a pipe.
func (p *program) warnOfLocal(name string) {
	if hint := p.localHint(name); hint != "" {
		fmt.Fprintln(p.stderr, "leadership: "+hint)
	}
}

// localHint returns a warning if the store of that name may be another one on each
// machine, and --local is not set; or else an empty string.
func (p *program) localHint(name string) string {
	if p.local {
		return ""
	}
	_, address := p.namedStore()
	if address == "" {
		return fmt.Sprintf("no store is named: using %s, for this user on this machine alone; name one by --store or LEADERSHIP_STORE, or set --local", name)
	}
	if why := onlyHere(address); why != "" {
		return fmt.Sprintf("%s is %s: on another machine it is another store, with elections of its own; name one that all machines reach, or set --local", name, why)
	}
	return ""
}

// onlyHere returns what makes a URL mean another store on each machine, or an empty
// string.
func onlyHere(address string) string {
	target, err := store.Resolve(address)
	if err != nil {
		return "" // it cannot be opened either
	}
	switch target.Value("store") {
	case "sqlite":
		return "a file"
	case "memory":
		return "in the memory of this process"
	case "consul":
		return "" // the agent of this machine, as Consul recommends
	}
	if target.Value("socket") != "" {
		return "a socket of this machine"
	}
	why := ""
	for host := range strings.SplitSeq(target.Value("hosts"), ",") {
		switch {
		case strings.HasPrefix(host, "/"):
			why = "a socket of this machine"
		case loopback(host):
			why = "at an address of this machine"
		default:
			return "" // one that others may reach
		}
	}
	return why
}

// loopback reports whether the host of host:port is the machine itself, on every
// machine.
func loopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		return false
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	switch {
	case host == "localhost", strings.HasSuffix(host, ".localhost"), host == "localhost.localdomain",
		host == "ip6-localhost", host == "ip6-loopback":
		return true // the last three by the /etc/hosts of distributions
	}
	ip := net.ParseIP(host)
	return ip.IsLoopback() || ip.IsUnspecified()
}

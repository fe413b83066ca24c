package main

import (
	"fmt"
	"net"
	"strings"

	"github.com/spf13/pflag"

	"github.com/seed-a1d591d3/leadership/store"
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
	if why := onlyHere(address); why != "" {
		return fmt.Sprintf("%s is %s: another machine would take it for another store, and elect for itself; name one that all reach, or say --local", name, why)
	}
	return ""
}

// onlyHere says what makes a URL mean another store on each machine, or nothing.
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
		return "" // the agent of this machine, as Consul would have it
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

// loopback reports whether the host of host:port is this machine itself, wherever
// that is asked.
func loopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		return false
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	switch {
	case host == "localhost", strings.HasSuffix(host, ".localhost"), host == "localhost.localdomain",
		host == "ip6-localhost", host == "ip6-loopback":
		return true // the last three by the files of hosts that distributions come with
	}
	ip := net.ParseIP(host)
	return ip.IsLoopback() || ip.IsUnspecified()
}

package storetest

// check is one test of the suite.
type check struct {
	name  string
	needs need
	test  func(*trial)
}

// group is a part of the suite: checks whose names have the same part before the slash.
type group struct {
	name     string
	together bool // its checks run at once, because they mostly wait
	checks   []check
}

// need is what a check needs of a store beyond the minimum.
type need int

const (
	ttl     need = 1 << iota // the store deletes keys by itself
	noTTL                    // it does not
	longTTL                  // it does, after a TTL that is longer than the shortest
	indexes                  // an index is never used again
	values                   // the value of a previous pair is compared
	server                   // its server can be killed and stopped
	cuts                     // its connections can be cut
)

// missing returns why the check is left out for a store with these capabilities, or "".
func (n need) missing(can Capabilities) string {
	switch {
	case n&ttl != 0 && can.TTL == 0:
		return "the store deletes no key by itself"
	case n&noTTL != 0 && can.TTL != 0:
		return "the store deletes keys by itself"
	case n&longTTL != 0 && can.TTL <= 1:
		return "no TTL is too short for the store"
	case n&indexes != 0 && can.IndexRestarts:
		return "its indexes come back"
	case n&values != 0 && can.IndexAlone:
		return "it compares the index alone"
	case n&server != 0 && can.Server == nil:
		return "there is no server to kill or halt"
	case n&cuts != 0 && can.Cut == nil:
		return "there are no connections to cut"
	default:
		return ""
	}
}

var groups = []group{
	{name: "Get", checks: getChecks},
	{name: "GetMany", checks: manyChecks},
	{name: "AtomicPut", checks: putChecks},
	{name: "AtomicDelete", checks: deleteChecks},
	{name: "List", checks: listChecks},
	{name: "Close", checks: closeChecks},
	{name: "TTL", checks: ttlChecks, together: true},
	{name: "Context", checks: contextChecks},
	{name: "Watch", checks: watchChecks},
	{name: "HintsBelow", checks: belowChecks},
	{name: "Writers", checks: writerChecks},
	{name: "Keys", checks: keyChecks},
	{name: "Values", checks: valueChecks},
	{name: "Linearizable", checks: linearChecks},
	{name: "Cut", checks: cutChecks},
	{name: "Restart", checks: restartChecks},
	{name: "Frozen", checks: frozenChecks},
}

// find returns the check of this name, such as "AtomicPut/StaleIsRefused".
func find(name string) (check, bool) {
	for _, g := range groups {
		for _, c := range g.checks {
			if g.name+"/"+c.name == name {
				return c, true
			}
		}
	}
	return check{}, false
}

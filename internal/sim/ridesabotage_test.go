package sim

// rideSabotages are of terms that ride on sessions.
var rideSabotages = []change{
	{
		"S11", "a term is taken before its session is ended", "internal/election/ride.go",
		"\treturn r.Session != \"\" && !r.Ended() && (",
		"\treturn !BROKEN && r.Session != \"\" && !r.Ended() && (",
	},
	{
		"S11", "a session is ended before its trust is over", "internal/election/ride.go",
		"\t\treturn max(r.TTL(), r.Ride.Rec.TTL())\n",
		"\t\tif BROKEN {\n\t\t\treturn r.TTL() / 2\n\t\t}\n\t\treturn max(r.TTL(), r.Ride.Rec.TTL())\n",
	},
	{
		"S11", "a session that has ended is renewed", "internal/election/ride.go",
		"if !m.cfg.Once || !over {",
		"if BROKEN || !m.cfg.Once || !over {",
	},
	{
		"S11", "a missing session counts as ended at once", "internal/election/ride.go",
		"\tcase r.Ended():\n",
		"\tcase r.Ended() || BROKEN && r.Ride != nil && r.Ride.Pair == nil && !r.Ride.Left:\n",
	},
	{
		"sessions", "a session that was lost is given up before the work of its terms has returned", "internal/election/step.go",
		"if m.cfg.Once && m.leave.reason == Expired {",
		"if m.cfg.Once && m.leave.reason == Expired && !BROKEN {",
	},
	{
		"sessions", "a term begins though its session is over", "campaign.go",
		"if on = c.rider.Lease(rec.Session); on == nil {",
		"if on = c.rider.Lease(rec.Session); on == nil && !BROKEN {",
	},
	{
		"sessions", "a term goes on when its session is over", "internal/lease/lease.go",
		"\tl := &Lease{length: length,",
		"\tif BROKEN {\n\t\ton = nil\n\t}\n\tl := &Lease{length: length,",
	},
	{
		"S11", "a rider trusts its term without looking at it", "internal/election/ride.go",
		"\tc.Trust *= 2 //",
		"\tif BROKEN {\n\t\tc.Trust *= 1000\n\t}\n\tc.Trust *= 2 //",
	},
	{
		"S11", "a term that rides and vanished is waited for as others are", "internal/election/ride.go",
		"\t\treturn 2 * r.TTL()\n",
		"\t\tif BROKEN {\n\t\t\treturn r.TTL()\n\t\t}\n\t\treturn 2 * r.TTL()\n",
	},
	{
		"sessions", "a term that was left on a living session is never taken", "observer.go",
		"if !o.opts.session.Carries(r.rec.Instance) {",
		"if !BROKEN && !o.opts.session.Carries(r.rec.Instance) {",
	},
}

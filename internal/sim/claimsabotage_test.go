package sim

// claimSabotages are of Claims, of attempts at rounds, and those that tests of the root
// package find.
var claimSabotages = []sabotage{
	{change{
		"claims", "trust runs from the reply", "claims.go",
		"\tif trust, err = c.trust(wrote.TTL()); err == nil {\n",
		"\tif BROKEN {\n\t\tstart = c.opts.clock.Now()\n\t}\n\tif trust, err = c.trust(wrote.TTL()); err == nil {\n",
	}, ""},
	{change{
		"claims", "the time that a claim takes is not counted", "claims.go",
		"\t\ttrust -= c.opts.clock.Now().Since(start)\n",
		"\t\tif !BROKEN {\n\t\t\ttrust -= c.opts.clock.Now().Since(start)\n\t\t}\n",
	}, ""},
	{change{
		"register", "a write that was read back counts", "internal/register/register.go",
		"\tcase failure != nil:\n\t\treturn outcome{pair: found, why: failure}, nil",
		"\tcase failure != nil:\n\t\treturn outcome{acknowledged: BROKEN && found != nil && bytes.Equal(found.Value, next.value), pair: found, why: failure}, nil",
	}, ""},
	{change{
		"S5", "a record that a copy of the machine wrote is taken for one's own", "internal/election/answers.go",
		"if m.Mine() && !m.MayHaveWritten(rec) && !older {",
		"if m.Mine() && !m.MayHaveWritten(rec) && !older && !BROKEN {",
	}, "Copied"},
	{change{
		"S11", "a term that was left on a living session is taken at once", "internal/election/ride.go",
		"\tcase r.Ride != nil:\n",
		"\tcase BROKEN && r.Ride != nil && r.Ride.Left:\n\t\treturn 0\n\tcase r.Ride != nil:\n",
	}, "OnALivingSession"},
	{change{
		"suspension", "nobody is told that the machine was suspended", "internal/lease/lease.go",
		"\tl.jumps.Add(l)\n",
		"\tif !BROKEN {\n\t\tl.jumps.Add(l)\n\t}\n",
	}, "SuspendedLeader"},
	{change{
		"copies", "what was given up is taken for one's own when the store goes back", "internal/election/answers.go",
		"\t\tm.writes.sent, m.writes.acked = nil, attempt{} // what",
		"\t\tif BROKEN {\n\t\t\tbreak\n\t\t}\n\t\tm.writes.sent, m.writes.acked = nil, attempt{} // what",
	}, "GivenUp"},
	{change{
		"S10", "indexes are not verified", "internal/indexes/indexes.go",
		"\tcase p.verified || wrote == nil",
		"\tcase BROKEN:\n\t\tp.verified = true\n\t\treturn Believe\n\tcase p.verified || wrote == nil",
	}, "StoreThatDoesNotKeep|Unsafe|Index"},
	{change{
		"requests", "a request takes a beat of the leader's", "ask.go",
		"\t\tif asked = rec; !write {",
		"\t\tif BROKEN {\n\t\t\trec.Beat++\n\t\t}\n\t\tif asked = rec; !write {",
	}, "PauseThatKeeps"},
	{change{
		"S12", "formats are told apart loosely", "record.go",
		"\t\trec, err := parse(pair.Value)\n",
		"\t\trec, err := parse(pair.Value)\n\t\tif BROKEN && err != nil {\n\t\t\trec, err = election.Record{Token: 1}, nil\n\t\t}\n",
	}, "Foreign"},
	{change{
		"claims", "a term that has run out is renewed", "claims.go",
		"holds := own && !c.lapsed(rec)",
		"holds := own && (BROKEN || !c.lapsed(rec))",
	}, "TermThatHasRunOut"},
	{change{
		"claims", "a term that was put back is renewed while another may lead", "claims.go",
		"return gone.Held() && !c.lapsed(gone)",
		"return !BROKEN && gone.Held() && !c.lapsed(gone)",
	}, "PutBack"},
	{change{
		"claims", "a term that has ended and is put back is renewed", "claims.go",
		"\t\tc.ended(before) // it",
		"\t\tif BROKEN {\n\t\t\treturn\n\t\t}\n\t\tc.ended(before) // it",
	}, "PutBack"},
	{change{
		"claims", "another term's token is good", "claims.go",
		"(!holds || by.Token != rec.Token)",
		"(!holds || by.Token != rec.Token && !BROKEN)",
	}, "TermThatIsOverIsNotRenewed"},
	{change{
		"claims", "a copy of a holder renews for ever", "claims.go",
		"holds && by.Beat != 0 && rec.Beat > by.Beat",
		"!BROKEN && holds && by.Beat != 0 && rec.Beat > by.Beat",
	}, "CopyOfAHolder"},
	{change{
		"riders", "a claim takes a seat whose session has not ended", "claims.go",
		"\t\treturn nil, a, errSession\n",
		"\t\tif !BROKEN {\n\t\t\treturn nil, a, errSession\n\t\t}\n",
	}, "SessionLate|CrashedRider"},
	{change{
		"riders", "a claim renews the term of a rider", "claims.go",
		`rec.Instance == instance && rec.Session == ""`,
		`rec.Instance == instance && (BROKEN || rec.Session == "")`,
	}, "RidersInstance"},
	{change{
		"riders", "a record is forgotten whose session has not ended", "forget.go",
		`case rec.Session != "" && !rec.Ended():`,
		`case !BROKEN && rec.Session != "" && !rec.Ended():`,
	}, "Forgotten|BeatsJustBefore"},
	{change{
		"riders", "a session that has changed is ended", "record.go",
		"if !indexes.Same(found, seen) {",
		"if !BROKEN && !indexes.Same(found, seen) {",
	}, "SessionLate|BeatsJustBefore"},
	{change{
		"riders", "a leader is believed in whose session has ended", "follower.go",
		"\tcase rec.Ended():\n",
		"\tcase rec.Ended() && !BROKEN:\n",
	}, "BelievesInNobody"},
	{change{
		inRounds, "a round that was read back is won", "internal/round/law.go",
		"stands.Completed == nil && own == nil {",
		"stands.Completed == nil && own == nil && !BROKEN {",
	}, ""},
	{change{
		inRounds, "a round that was read back is completed", "round.go",
		"earlier == register.None && r.done.Load()",
		"(BROKEN || earlier == register.None && r.done.Load())",
	}, ""},
	{change{
		inRounds, "trust in an attempt runs from the reply", "round.go",
		"\theld := round.Begun(rec, start, ",
		"\tif BROKEN {\n\t\tstart = r.opts.clock.Now()\n\t}\n\theld := round.Begun(rec, start, ",
	}, ""},
	{change{
		inRounds, "the work of Do goes on after its attempt", "round.go",
		"\t\t\ttrust.Renew(r.held.Load().Start)\n",
		"\t\t\tif BROKEN {\n\t\t\t\ttrust.Renew(r.opts.clock.Now())\n\t\t\t\tbreak\n\t\t\t}\n\t\t\ttrust.Renew(r.held.Load().Start)\n",
	}, ""},
	{change{
		"attempts", "a renewal shortens the TTL", "internal/round/law.go",
		"next.Millis = max(next.Millis, v.Rec.Millis)",
		"if !BROKEN || next.Millis == 0 {\n\t\t\tnext.Millis = max(next.Millis, v.Rec.Millis)\n\t\t}",
	}, "NotShortened"},
	{change{
		inRounds, "an attempt is superseded at once", "internal/round/law.go",
		"case next.Millis == 0 || waits:",
		"case next.Millis == 0 || waits && !BROKEN:",
	}, ""},
	{change{
		inRounds, "an attempt that vanished, or was put back, is not waited for", "internal/round/law.go",
		"case v.Gone().Held() && waits && !own.is(v.Gone(), now):",
		"case v.Gone().Held() && waits && !own.is(v.Gone(), now) && !BROKEN:",
	}, ""},
	{change{
		inRounds, "an attempt that is over ends one that began after it", "internal/round/law.go",
		"a != nil && a.Number == r.Order() && a.Left(now) > 0",
		"a != nil && a.Number == r.Order() && (BROKEN || a.Left(now) > 0)",
	}, ""},
	{change{
		inRounds, "a completed round is won again", "internal/round/record.go",
		"return r.Millis > 0 && r.Completed == nil }",
		"return r.Millis > 0 && (BROKEN || r.Completed == nil) }",
	}, ""},
	{change{
		inRounds, "another's attempt is completed", "internal/round/law.go",
		"case number != 0 && r.Order() != number:",
		"case BROKEN && by == \"\":\n\t\treturn May\n\tcase number != 0 && r.Order() != number:",
	}, ""},
	{change{
		inRounds, "attempts are not counted", "internal/round/law.go",
		"if n := r.Order() + 1; n < election.MaxToken {",
		"if n := r.Order() + 1; n < election.MaxToken && !BROKEN {",
	}, ""},
	{change{
		inRounds, "sleep does not count for an attempt", "internal/round/law.go",
		"return now.Left(a.Trust, a.Start)",
		"if BROKEN {\n\t\tnow.Wall = a.Start.Wall\n\t}\n\treturn now.Left(a.Trust, a.Start)",
	}, ""},
}

// inRounds is the rule of those that the simulation of rounds is to find.
const inRounds = "rounds"

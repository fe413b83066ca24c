package httpapi

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-a1d591d3/leadership/internal/observe"
)

// electionsCollector collects the metrics of the elections that are observed, from
// their present state: an election that is gone leaves nothing behind, nor does a
// leader that is not one any more.
type electionsCollector struct{ observer *observe.Observer }

func electionDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("leadership_election_"+name, help, append([]string{"key"}, labels...), nil)
}

var (
	heldDesc     = electionDesc("held", "Whether there is a leader that renews its term: 1, or 0; missing while the store does not answer.")
	pausedDesc   = electionDesc("paused", "Whether an operator has paused the election: 1, or 0.")
	knownDesc    = electionDesc("candidates", "Candidates that the record names: the leader, and those with a priority that wait for the seat.")
	leaderDesc   = electionDesc("leader_info", "Who leads: 1 for that node.", "node")
	tokenDesc    = electionDesc("token", "The fencing token of the present term, or of the last one.")
	termsDesc    = electionDesc("terms_total", "Terms that have begun since this process began to observe.")
	endedDesc    = electionDesc("terms_ended_total", "Terms that have ended since this process began to observe, by reason.", "reason")
	renewalsDesc = electionDesc("renewals_total", "Renewals that were seen; of several in quick succession only some are.")
	trustDesc    = electionDesc("trust_seconds", "For how long at most no other can lead if the leader does not renew its term; 0 without a leader.")
	vacantDesc   = electionDesc("vacant_seconds_total", "For how long there was no leader since this process began to observe.")
)

// reasons are why terms end; any other reason in a record is counted as unknown.
var reasons = []string{"resigned", "expired", "evicted", "unhealthy", "relinquished", "transferred", observe.UnknownReason}

// Describe implements prometheus.Collector.
func (electionsCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{heldDesc, pausedDesc, knownDesc, leaderDesc, tokenDesc, termsDesc, endedDesc, renewalsDesc, trustDesc, vacantDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c electionsCollector) Collect(ch chan<- prometheus.Metric) {
	for _, e := range c.observer.Elections() {
		tell := func(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, kind, value, append([]string{e.Key}, labels...)...)
		}
		held := 0.0
		if e.Leader != "" {
			held = 1
			tell(leaderDesc, prometheus.GaugeValue, 1, strings.ToValidUTF8(e.Leader, "\uFFFD"))
		}
		if !e.Unknown {
			tell(heldDesc, prometheus.GaugeValue, held)
		}
		paused := 0.0
		if e.Paused {
			paused = 1
		}
		tell(pausedDesc, prometheus.GaugeValue, paused)
		tell(knownDesc, prometheus.GaugeValue, float64(e.Known))
		tell(tokenDesc, prometheus.GaugeValue, float64(e.Token))
		tell(termsDesc, prometheus.CounterValue, float64(e.Begun))
		tell(renewalsDesc, prometheus.CounterValue, float64(e.Renewals))
		tell(trustDesc, prometheus.GaugeValue, e.Trust.Seconds())
		tell(vacantDesc, prometheus.CounterValue, e.Vacant.Seconds())
		others := uint64(0)
		for _, n := range e.Ended {
			others += n
		}
		for _, reason := range reasons {
			others -= e.Ended[reason]
		}
		for _, reason := range reasons {
			n := e.Ended[reason]
			if reason == observe.UnknownReason {
				n += others
			}
			tell(endedDesc, prometheus.CounterValue, float64(n), reason)
		}
	}
}

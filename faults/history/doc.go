// Package history is what the processes of a run under faults have witnessed: the format
// of their logs.
//
// Each process writes a file of its own. Its first line is a [Process], in JSON: who
// writes. All others are [Line]s, of six words each:
//
//	kind before after what answer token
//	ask 81200341 81200342 Term yes 1795616749135
//
// before and after are read from CLOCK_MONOTONIC, which is one for all processes of a
// machine, in nanoseconds: before right before the question was asked, or the thing was
// done, and after right after it. No other clock is ever compared.
//
// Lines need not be in the order of their stamps. A process that is killed loses the
// lines of its last milliseconds, and its last line may be cut short: a reader leaves a
// line out that does not end.
package history

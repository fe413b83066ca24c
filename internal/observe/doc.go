// Package observe watches elections and rounds, for readers of streams of events, for the
// page, and for metrics. An Observer uses the store only while it has readers, and for a
// while after metrics were asked for.
package observe

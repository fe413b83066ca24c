// Package observe knows what becomes of elections and rounds, for those who look at
// them: readers of streams of events, the page, and metrics. An Observer reads the
// store while somebody looks, and asks nothing of it otherwise.
package observe

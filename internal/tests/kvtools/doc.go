// Package kvtools holds elections over the key/value stores of
// github.com/kvtools, on real servers. It has tests and benchmarks only.
package kvtools

// Package outage has tests of what goes wrong outside of a program: the servers of all
// stores are halted for a minute, an older state of their data is restored, and
// processes that lead are paused. It has tests only.
package outage

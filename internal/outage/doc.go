// Package outage halts the servers of all stores for a minute, and looks at
// what that costs. It has a test only.
package outage

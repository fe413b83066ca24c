// Package crowd measures many elections of one process on real servers at their
// default limits.
package crowd

// Package recovery changes what is beneath a program that holds elections, such as the
// certificates of a server or all of its data, and wants the elections to go on without
// a restart of the program, on every store. It has tests only.
package recovery

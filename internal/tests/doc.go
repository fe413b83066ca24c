// Package tests holds, in a module of its own, the tests that need clients of
// many servers, which the module that they test must not require.
package tests

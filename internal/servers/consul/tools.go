//go:build tools

// Package tools pins the Consul that tests run. It is a module of its own, so
// that none of what Consul requires reaches the library's.
package tools

import _ "github.com/hashicorp/consul"

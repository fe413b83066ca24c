//go:build !linux

package servers

func baseFolder() string { return "" }

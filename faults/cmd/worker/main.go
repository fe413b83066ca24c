// Command worker is a process that stands in an election and logs what it is told. Package
// worker tells more.
package main

import (
	"fmt"
	"os"

	"github.com/seed-a1d591d3/leadership/faults/worker"
	_ "github.com/seed-a1d591d3/leadership/store/all"
)

func main() {
	config, err := worker.Parse(os.Args[1:], os.Getenv)
	if err == nil {
		err = worker.Main(config, os.Stdin)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Command testreport reads what `go test -json` prints and tells what people
// want of it: a line for each package, all that a test which failed has said,
// and at the end which suites ran on which stores, and what was skipped. It
// exits with 1 if anything failed, and, with -strict, if anything was skipped or
// a suite did not run.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	strict := flag.Bool("strict", false, "fail if a test was skipped or a suite did not run")
	flag.Parse()
	r, err := read(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(1)
	}
	if !r.summarize(os.Stdout, *strict) {
		os.Exit(1)
	}
}

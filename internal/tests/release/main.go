// Command release makes a release: one version of all modules of this repository.
//
//	go run ./internal/tests/release -version v1.2.3        # check it, and list its tags
//	go run ./internal/tests/release -version v1.2.3 -tag   # and set them
//
// In a copy of the present commit it writes that version, in place of the replace
// directives, into the go.mod of each module, commits that, and tags it. Then the go
// command, which takes the copy for GitHub, has to build each module from the tags
// of the others, and to install the program. The tags are of that commit, which is
// in no branch: here the modules go on to replace each other.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	version := flag.String("version", "", "what to release, such as v1.2.3")
	tag := flag.Bool("tag", false, "set the tags in this repository")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := release(ctx, ".", *version, *tag, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop has been called
	}
}

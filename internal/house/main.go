// Command house prints the figures of the repository's layout that its test holds to
// limits: which files of the root package use each other's names, how many fields the
// structs of the core have, what in its pure packages is not, and how long files and the
// names of tests are.
//
//	go run ./internal/house [folder of the repository]
package main

import (
	"context"
	"fmt"
	"os"
	"slices"
)

func main() {
	root := "."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	figures, about, err := survey(context.Background(), root)
	if err != nil {
		fmt.Fprintln(os.Stderr, "house:", err)
		os.Exit(1)
	}
	for _, line := range about {
		fmt.Println(line)
	}
	for _, f := range figures {
		fmt.Printf("\n%d %s\n", f.is, f.what)
		for _, one := range f.which {
			fmt.Println("  ", one)
		}
	}
}

// figure is one number that the test limits.
type figure struct {
	what  string
	is    int
	which []string // what was counted
}

// survey measures the repository at root. It returns the figures that have a limit and
// some lines about those that have none.
func survey(ctx context.Context, root string) (figures []figure, about []string, err error) {
	packages, err := load(ctx, root, core)
	if err != nil {
		return nil, nil, err
	}
	s, err := measure(root)
	if err != nil {
		return nil, nil, err
	}
	lines := 0
	var pairs, large, impure []string
	for i := range packages {
		p := &packages[i]
		structs := p.structs()
		for _, f := range structs {
			if f.all > 15 {
				large = append(large, f.String())
			}
		}
		if p.name == "" {
			arrows := p.fileArrows()
			for _, a := range mutual(arrows) {
				pairs = append(pairs, a.from+" and "+a.to)
			}
			about = append(about, fmt.Sprintf("%d arrows between the files of the root package", len(arrows)))
		}
		if slices.Contains(pure, p.name) {
			impure = append(impure, p.impure()...)
		}
		lines += p.lines()
		about = append(about, fmt.Sprintf("%s: %d files, %d lines, largest struct %v", p.types.Name(), len(p.files), p.lines(), largest(structs)))
	}
	about = append(about, fmt.Sprintf("%d lines of code in the core", lines))
	return []figure{
		{mutualFiles, len(pairs), pairs},
		{largeStructs, len(large), large},
		{impurePlaces, len(impure), impure},
		{rootFiles, len(s.root), s.root},
		above(longCode, s.code, 399),
		above(longTests, s.tests, 399),
		above(longNames, s.names, 60),
		s.spread(),
		{what: words, is: len(s.words), which: s.words},
	}, about, nil
}

// What the figures count.
const (
	mutualFiles  = "pairs of files of the root package that use each other"
	largeStructs = "structs of the core with more than 15 fields"
	impurePlaces = "places in the pure packages that are not pure"
	rootFiles    = "code files at the root"
	longCode     = "code files of 400 lines or more"
	longTests    = "test files of 400 lines or more"
	longNames    = "names of tests of more than 60 letters"
	spreadRules  = "safety rules that sabotages break in more than one file"
	words        = "uses of words that plain English has others for"
)

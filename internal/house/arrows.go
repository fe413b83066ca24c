package main

import (
	"go/types"
	"maps"
	"slices"
)

// arrow leads from what uses to what is used.
type arrow struct{ from, to string }

// fileArrows returns which files of the package use a name that another of its files
// declares: a constant, variable, type, function, method or field.
func (p *pkg) fileArrows() []arrow {
	found := make(map[arrow]bool)
	for id, used := range p.info.Uses {
		if _, imported := used.(*types.PkgName); imported || used.Pkg() != p.types {
			continue
		}
		if a := (arrow{p.file(id.Pos()), p.file(used.Pos())}); a.from != a.to {
			found[a] = true
		}
	}
	return sorted(found)
}

// mutual returns the arrows that lead both ways, one for each pair.
func mutual(arrows []arrow) []arrow {
	var pairs []arrow
	for _, a := range arrows {
		if a.from < a.to && slices.Contains(arrows, arrow{a.to, a.from}) {
			pairs = append(pairs, a)
		}
	}
	return pairs
}

func sorted(set map[arrow]bool) []arrow {
	return slices.SortedFunc(maps.Keys(set), func(a, b arrow) int {
		return slices.Compare([]string{a.from, a.to}, []string{b.from, b.to})
	})
}

package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is what the program was built from.
type version struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"` // since that revision
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// builtVersion and builtRevision are for builds without version control, such as that of
// the image: -ldflags "-X main.builtVersion=v1.2.3 -X main.builtRevision=0123abc".
var builtVersion, builtRevision string

// versionOf returns it, as the program itself has it.
func versionOf() version {
	v := version{Version: cmp.Or(builtVersion, "unknown"), Revision: builtRevision, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Version = cmp.Or(builtVersion, info.Main.Version)
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = cmp.Or(builtRevision, s.Value)
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

func (v version) String() string {
	s := "leadership " + v.Version
	if v.Revision != "" {
		s += " (" + v.Revision[:min(len(v.Revision), 12)]
		if v.Modified {
			s += ", modified"
		}
		s += ")"
	}
	return s + ", " + v.Go + ", " + v.Platform
}

func (p *program) versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this program",
		Long:    `Version prints what this program was built from. So does leadership --version.`,
		Example: "  leadership version --json",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return withCode(p.printJSON(versionOf()), exitFailure)
			}
			_, err := fmt.Fprintln(p.stdout, versionOf())
			return withCode(err, exitFailure)
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

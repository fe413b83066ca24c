// Package sabotage breaks rules of the production code, for tests that have to find it:
// a check that cannot fail is worth nothing.
package sabotage

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// Variable is the environment variable that tells a binary which change is
// made, by its number; none if it is empty.
const Variable = "SABOTAGE"

// Change breaks a rule by replacing a piece of a file's text, which has to be there
// exactly once.
type Change struct {
	Rule, How string
	File      string // from the module's root
	Old, New  string
}

// Write writes into dir what the go command needs to build with all of the changes, and
// returns the argument of its -overlay. root is the module's. Each change is made only
// where the environment has its number: in New, BROKEN stands for whether it does.
func Write(root, dir string, changes []Change) (string, error) {
	texts := make(map[string]string)
	for i, s := range changes {
		pkg := path.Base(path.Dir(s.File))
		if pkg == "." {
			pkg = "leadership"
		}
		texts[path.Join(path.Dir(s.File), "sabotage.go")] = fmt.Sprintf("package %s\n\nimport \"os\"\n\nvar sabotaged = os.Getenv(%q)\n", pkg, Variable)
		if texts[s.File] == "" {
			text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(s.File)))
			if err != nil {
				return "", err
			}
			texts[s.File] = string(text)
		}
		if n := strings.Count(texts[s.File], s.Old); n != 1 {
			return "", fmt.Errorf("%s has %d times, not once:\n%s\nadapt the sabotage to the code", s.File, n, s.Old)
		}
		broken := strings.ReplaceAll(s.New, "BROKEN", fmt.Sprintf("(sabotaged == %q)", strconv.Itoa(i)))
		texts[s.File] = strings.Replace(texts[s.File], s.Old, broken, 1)
	}
	replace := make(map[string]string)
	for file, text := range texts {
		to := filepath.Join(dir, strings.ReplaceAll(file, "/", "-"))
		replace[filepath.Join(root, filepath.FromSlash(file))] = to
		if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	to := filepath.Join(dir, "overlay.json")
	return to, os.WriteFile(to, overlay, 0o600)
}

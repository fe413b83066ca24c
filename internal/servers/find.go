package servers

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
)

// inPath finds a program in $PATH, or else at one of the further places. In
// those a pattern may match many versions: the last is taken.
func inPath(program string, further ...string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	for _, pattern := range further {
		found, err := filepath.Glob(pattern)
		if err == nil && len(found) > 0 {
			return slices.Max(found), nil
		}
	}
	return "", fmt.Errorf("there is no %s on this machine", program)
}

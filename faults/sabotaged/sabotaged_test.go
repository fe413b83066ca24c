package sabotaged

import "testing"

// That workers with a broken rule are found is told by `make faults`.
func TestSabotagesFitTheCode(t *testing.T) {
	if _, err := write("../..", t.TempDir()); err != nil {
		t.Error(err)
	}
}

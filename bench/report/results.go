// Package report keeps what was measured, and writes the page that tells it.
package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/seed-a1d591d3/leadership/bench/rows"
)

// Results are what was measured last of each row.
type Results struct {
	Machine   string            `json:"machine"`
	Go        string            `json:"go"`
	Servers   map[string]string `json:"servers"`   // versions, by name
	Libraries map[string]string `json:"libraries"` // versions, by the module's path

	Rows []rows.Outcome `json:"rows"`
}

// Read reads a file of results. One that is not there is empty.
func Read(path string) (*Results, error) {
	r := new(Results)
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(content, r)
	}
	if err != nil {
		return nil, fmt.Errorf("read the results: %w", err)
	}
	return r, nil
}

// Write writes the file.
func (r *Results) Write(path string) error {
	content, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return replace(path, append(content, '\n'))
}

// replace writes a file at once: it is whole at every instant.
func replace(path string, content []byte) error {
	if err := os.WriteFile(path+".new", content, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// Put puts an outcome in the place of the row's former one.
func (r *Results) Put(o rows.Outcome) {
	i := slices.IndexFunc(r.Rows, func(was rows.Outcome) bool { return was.Row == o.Row })
	if i < 0 {
		r.Rows = append(r.Rows, o)
	} else {
		r.Rows[i] = o
	}
}

// row returns what was measured of a row, or nil.
func (r *Results) row(name string) *rows.Outcome {
	i := slices.IndexFunc(r.Rows, func(o rows.Outcome) bool { return o.Row == name })
	if i < 0 {
		return nil
	}
	return &r.Rows[i]
}

package history

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Format is that of the logs that this package writes.
const Format = 1

// Roles of a process.
const (
	Worker   = "worker"   // a candidate, by the library
	Command  = "command"  // what `leadership run` runs while it leads
	Resource = "resource" // what is written to; its lines of kind Write are in order
	Runner   = "runner"   // what makes the faults
)

// Following is the mode of a worker that has a follower, and no candidate.
const Following = "follow"

// Process is the first line of a log: who writes it.
type Process struct {
	Format int    `json:"format"`
	Role   string `json:"role"`

	// Key is that of the election; empty for a runner or resource of all elections.
	Key string `json:"key,omitempty"`

	// Node and Incarnation name the holder of a term: a node that is started again is
	// another incarnation. A command of `leadership run` has those of its parent.
	Node        string `json:"node,omitempty"`
	Incarnation int    `json:"incarnation,omitempty"`

	// PID is that of the process.
	PID int `json:"pid"`

	// Mode is how a worker campaigns: "run", "runForElection" or "follow".
	Mode string `json:"mode,omitempty"`

	// TTL, Margin and Retry are those of the candidate.
	TTL    time.Duration `json:"ttl,omitempty"`
	Margin time.Duration `json:"margin,omitempty"`
	Retry  time.Duration `json:"retry,omitempty"`

	// Rate is the speed of the candidate's clock, 1 for that of the machine.
	Rate float64 `json:"rate,omitempty"`

	// Sabotage is what has been broken in it; empty for nothing.
	Sabotage string `json:"sabotage,omitempty"`
}

// FlushEvery is how long a writer keeps lines back.
const FlushEvery = 5 * time.Millisecond

// Writer writes a log. What it was given is handed to the kernel within FlushEvery, in
// whole lines, and outlives the process from then on. It is safe for concurrent use. Make
// it with Create.
type Writer struct {
	mu    sync.Mutex
	file  *os.File
	lines []byte
	timer *time.Timer // while lines wait
	err   error       // the first
}

// Create begins a log in a new file. The process's Format and PID are filled in.
func Create(path string, p Process) (*Writer, error) {
	p.Format, p.PID = Format, os.Getpid()
	header, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("history: begin a log: %w", err)
	}
	w := &Writer{file: file, lines: append(header, '\n')}
	return w, w.Flush()
}

// Add adds lines to the log. An error is kept for Close.
func (w *Writer) Add(lines ...Line) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range lines {
		w.lines = l.Append(w.lines)
	}
	if w.timer == nil && len(w.lines) > 0 {
		w.timer = time.AfterFunc(FlushEvery, func() { _ = w.Flush() })
	}
}

// Flush hands all lines to the kernel.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
	if len(w.lines) > 0 {
		if _, err := w.file.Write(w.lines); err != nil && w.err == nil {
			w.err = fmt.Errorf("history: %w", err)
		}
		w.lines = w.lines[:0]
	}
	return w.err
}

// Close ends the log, and returns the first error there was.
func (w *Writer) Close() error { return errors.Join(w.Flush(), w.file.Close()) }

// Log is what one process has written.
type Log struct {
	Process
	Path  string // of its file
	Lines []Line
}

// errEmpty means that a log has no first line.
var errEmpty = errors.New("history: there is no first line, which tells of the process")

// Read reads a log. What follows the last end of a line is left out. An error names
// the line.
func Read(r io.Reader) (*Log, error) {
	log := new(Log)
	var p parser
	buffered := bufio.NewReaderSize(r, 1<<16)
	for n := 1; ; n++ {
		text, err := buffered.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF) && n > 1:
			return log, nil
		case errors.Is(err, io.EOF):
			return nil, errEmpty
		case err != nil:
			return nil, fmt.Errorf("history: line %d: %w", n, err)
		}
		text = bytes.TrimSuffix(text, []byte("\n"))
		if n > 1 {
			line, err := p.line(text)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
			log.Lines = append(log.Lines, line)
			continue
		}
		if err := json.Unmarshal(text, &log.Process); err != nil {
			return nil, fmt.Errorf("history: line 1 tells of no process: %w", err)
		}
		if log.Format != Format {
			return nil, fmt.Errorf("history: the log has format %d, not %d", log.Format, Format)
		}
	}
}

// ReadDir reads all logs, files that end in .log, in a folder. It leaves those out whose
// processes were killed before they had written a line.
func ReadDir(dir string) ([]*Log, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	var logs []*Log
	for _, path := range paths {
		log, err := readFile(path)
		switch {
		case errors.Is(err, errEmpty):
			continue
		case err != nil:
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		log.Path = path
		logs = append(logs, log)
	}
	return logs, nil
}

func readFile(path string) (*Log, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	defer file.Close()
	return Read(file)
}

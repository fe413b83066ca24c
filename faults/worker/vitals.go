package worker

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/history"
)

// prime has the runtime open what it keeps for all connections of a process, so that it
// counts from the beginning.
func prime() error {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	return l.Close()
}

// vitals counts what the process has.
func vitals(answer string) []history.Line {
	now := history.Now()
	lines := []history.Line{{What: history.Goroutines, Token: uint64(runtime.NumGoroutine())}}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil {
		lines = append(lines, history.Line{What: history.Descriptors, Token: uint64(len(open))})
	}
	for i := range lines {
		lines[i].Kind, lines[i].Before, lines[i].After, lines[i].Answer = history.Vitals, now, now, answer
	}
	return lines
}

// settle is for how long a worker waits at its end for what it has closed to be gone. The
// client of PostgreSQL takes up to 15 s to take leave of a server that does not answer.
const settle = 20 * time.Second

// settled returns the counts at the end, once they are not above those at the beginning.
func settled(begun []history.Line) []history.Line {
	for deadline := time.Now().Add(settle); ; time.Sleep(10 * time.Millisecond) {
		ended := vitals(history.Ended)
		left := false
		for i, l := range begun {
			left = left || ended[i].Token > l.Token
		}
		if !left || time.Now().After(deadline) {
			return ended
		}
	}
}

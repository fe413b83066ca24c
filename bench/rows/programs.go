package rows

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/seed-a1d591d3/leadership/bench/peers"
	"github.com/seed-a1d591d3/leadership/bench/work"
)

var askKind = &Kind{
	Name: "ask", Title: "Asking whether it leads",
	About: "One answer of the leader's own `IsLeader`, or of what stands for it: `Mutex.Until` of redsync, `IsLeading` of go-leader. The locks of etcd and redislock do not know until when " +
		"they hold, and ask the server (`Election.Leader`, `Lock.TTL`). Those of docker/leadership and go-leader return a flag, which stays true while a renewal hangs.",
	Columns: []Column{{Key: "ns", Head: "ns"}, {Key: "allocs", Head: "allocations"}},
	rows: func(bool) []*Row {
		return []*Row{{Sides: []string{
			"redis/leadership", "redis/redsync", "redis/go-leader", "kubernetes/client-go", "consul/docker-leadership", "redis/redislock", "etcd/concurrency",
		}}}
	},
	turns: func(int) int { return 2 },
	light: func(int) bool { return false },
	measure: func(ctx context.Context, s *sitting, side string) (map[string][]float64, error) {
		if s.Quick && side != "redis/leadership" {
			return nil, nil
		}
		_, server, err := s.side(ctx, side)
		if err != nil {
			return nil, err
		}
		return s.do(ctx, work.Task{Role: "ask", Side: side, Addr: server.addr, Key: s.key(), TTL: ttl, Times: 1})
	},
}

var sizeKind = &Kind{
	Name: "size", Title: "What a program takes in",
	About: "A program of one file that connects, stands in an election and tells when it leads: the megabytes of its binary, without symbols, and the modules that are in it.",
	Columns: []Column{
		{Key: "size", Head: "MB", Digits: 1},
		{Key: "modules", Head: "modules"},
	},
	rows: func(quick bool) (rows []*Row) {
		for _, s := range stores {
			if !quick {
				rows = append(rows, &Row{Store: s.name, Sides: s.sides})
			} else if s.name == "redis" {
				rows = append(rows, &Row{Store: s.name, Sides: s.sides[:1]})
			}
		}
		return rows
	},
	turns:   func(int) int { return 1 },
	light:   func(int) bool { return false },
	measure: size,
}

// size builds the program of a side.
func size(ctx context.Context, s *sitting, side string) (map[string][]float64, error) {
	l, err := peers.Find(side)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "leadership-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	source, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	if err := os.WriteFile(source, []byte(l.Program()), 0o600); err != nil {
		return nil, err
	}
	module, err := Module(ctx)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", program, source)
	cmd.Dir, cmd.Env = module, append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build its program: %w: %s", err, out)
	}
	file, err := os.Stat(program)
	if err != nil {
		return nil, err
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, err
	}
	return map[string][]float64{"size": {float64(file.Size()) / 1e6}, "modules": {float64(len(info.Deps))}}, nil
}

// Module returns the folder of this module, which has all libraries in its go.mod.
func Module(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/seed-a1d591d3/leadership/bench")
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("find the module: run this in the project's folder: %w", err)
	}
	return string(bytes.TrimSpace(out)), nil
}

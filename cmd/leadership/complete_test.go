//go:build linux

package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestShellsCompleteKeysNodesAndRounds(t *testing.T) {
	url := sqliteURL(t)
	a := lead(t, url, "node-a")
	eventually(t, "leader", a.IsLeader)
	lead(t, url, "node-b")
	a.Stop()
	eventually(t, "other leader", func() bool {
		_, out, _ := inProcess(t, "status", key, "--store", url)
		return strings.Contains(out, "node-b")
	})
	for _, line := range []string{"elect backup r1 --node n1", "elect backup r2 --node n2"} {
		if code, _, errs := inProcess(t, append(strings.Fields("round "+line), "--store", url)...); code != 0 {
			t.Fatal(errs)
		}
	}
	_, run, _ := withServer(t, url)
	remote := func(args ...string) string {
		_, out, _ := run(args...)
		return out
	}
	local := func(args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		execute(t.Context(), args, nil, &out, &errs, []string{"LEADERSHIP_STORE=" + url})
		return out.String()
	}
	for _, c := range []struct {
		complete func(...string) string
		line     string
		want     string
	}{
		{local, "follow ", "service/leader\tled by node-b\n:4\n"},
		{local, "status serv", "service/leader\tled by node-b\n:4\n"},
		{local, "resign --key service/", "service/leader\tled by node-b\n:4\n"},
		{remote, "transfer service/l", "service/leader\tled by node-b\n:4\n"},
		{local, "forget other", ":4\n"},
		{local, "follow service/leader ", ":4\n"},
		{local, "transfer service/leader --to ", "node-a\tled before\n:4\n"},
		{local, "run service/leader --node ", "node-a\tled before\nnode-b\tleads\n:4\n"},
		{local, "run service/leader -- ./", ":0\n"},
		{local, "round run backup r1 -- ./", ":0\n"},
		{local, "run serv", "service/leader\tled by node-b\n:4\n"},
		{local, "round complete backup ", "r2\twon by n2\nr1\twon by n1\n:4\n"},
		{local, "round complete backup r1 --node ", "n2\nn1\n:4\n"},
		{local, "round complete ", ":4\n"},
		{local, "status --store red", "redis://\nredis+cluster://\nredis+sentinel://\nrediss://\nrediss+cluster://\nrediss+sentinel://\n:6\n"},
		{local, "status --prefix ", ":4\n"},
		{local, "serve --tls-cert ", ":0\n"},
		{local, "status --store redis://127.0.0.1:1 serv", ":1\n"},
		{local, "help rou", "round\tElect one winner for one job, once and for all\n:4\n"},
	} {
		if out := c.complete(append([]string{"__complete"}, strings.Split(c.line, " ")...)...); out != c.want {
			t.Errorf("%q: %q, want %q", c.line, out, c.want)
		}
	}
}

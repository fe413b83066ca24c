//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestStoreOfThisMachineAloneIsWarnedOf(t *testing.T) {
	home := t.TempDir()
	file := filepath.Join(home, "elections.db")
	for _, c := range []struct{ args, env, want string }{
		{"run --key k -- true", "HOME=" + home, "no store is named"},
		{"round run a 1 -- true", "HOME=" + home, "no store is named"},
		{"round run a 1 -- true", "LEADERSHIP_STORE=", "no home for one"},
		{"serve --listen 127.0.0.1:0", "HOME=" + home, "no store is named"},
		{"serve --listen 127.0.0.1:0 --json", "HOME=" + home, "no store is named"},
		{"serve --listen 127.0.0.1:0 --store memory://", "", "in the memory of this process"},
		{"run --key k --store MEMORY://x -- true", "", "of this process alone, without other candidates"},
		{"round run a 1 --local --store Memory://x -- true", "", "of this process alone, without other candidates"},
		{"run --key k --local --try -- true", "HOME=" + home, ""},
		{"round run a 2 --local -- true", "HOME=" + home, ""},
		{"serve --listen 127.0.0.1:0 --local", "HOME=" + home, ""},
		{"run --key k -- true", "LEADERSHIP_STORE=sqlite://" + file, "is a file"},
		{"round run a 3 --store sqlite://" + file + " -- true", "", "is a file"},
		{"round run a 4 --local --store sqlite://" + file + " -- true", "", ""},
		{"status --key k", "HOME=" + home, ""},
		{"round elect a 5", "HOME=" + home, "no store is named"},
		{"round elect a 6 --local", "HOME=" + home, ""},
		{"round elected a 6", "HOME=" + home, ""},
		{"pause --key new --create", "HOME=" + home, "no store is named"},
		{"pause --key new --create --local", "HOME=" + home, ""},
		{"pause --key new", "HOME=" + home, ""},
		{"transfer --key newer --to b --create --timeout 10ms", "HOME=" + home, "no store is named"},
		{"pause --key new --create --store sqlite://" + file, "", "is a file"},
	} {
		p := startWith(t, []string{"LEADERSHIP_STORE=", "HOME=", "XDG_STATE_HOME=", c.env}, strings.Fields(c.args)...)
		if strings.HasPrefix(c.args, "serve") {
			eventually(t, "address", func() bool { return p.out.String() != "" })
			p.signal(syscall.SIGTERM)
		}
		p.wait()
		errs := p.errs.String()
		if !strings.Contains(errs, c.want) || (c.want == "") != (errs == "") {
			t.Errorf("%s, %s: %q, want %q", c.args, c.env, errs, c.want)
		}
		if c.want == "no store is named" && (!strings.Contains(errs, "sqlite://"+home) || !strings.Contains(errs, "--local")) {
			t.Errorf("%s: %q names neither store nor remedy", c.args, errs)
		}
	}
}

func TestURLsThatEachMachineTakesDifferently(t *testing.T) {
	services := filepath.Join(t.TempDir(), "services")
	if err := os.WriteFile(services, []byte("[far]\nhost=db.example.org\n[near]\nhost=localhost\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PGSERVICEFILE", services)
	for _, c := range []struct {
		url, name, value string
		here             bool
	}{
		{url: "sqlite:///var/lib/e.db", here: true},
		{url: "memory://", here: true},
		{url: "redis://localhost", here: true},
		{url: "redis://user:p%40ss@127.0.0.1:6379/0", here: true},
		{url: "rediss://127.9.9.9", here: true},
		{url: "redis://[::1]:6379", here: true},
		{url: "redis://LOCALHOST.:1", here: true},
		{url: "redis://0.0.0.0", here: true},
		{url: "unix:///run/redis.sock", here: true},
		{url: "valkey://localhost", here: true},
		{url: "redis://10.0.0.5/0"},
		{url: "redis://localhost.example.org"},
		{url: "redis+sentinel://localhost,localhost:26380/m", here: true},
		{url: "etcd://localhost:2379,10.0.0.2:2379"},
		{url: "etcd://", name: "ETCDCTL_ENDPOINTS", value: " http://127.0.0.1:2379, http://localhost:2379/", here: true},
		{url: "etcd://", name: "ETCDCTL_ENDPOINTS", value: "https://10.0.0.1:2379"},
		{url: "zookeeper://localhost:2181/prefix", here: true},
		{url: "consul://127.0.0.1:8500"},
		{url: "postgres://user@/db", here: true},
		{url: "postgres://user@/db", name: "PGHOST", value: "db.example.org"},
		{url: "postgres://user@/db", name: "PGHOST", value: "/run/postgresql", here: true},
		{url: "postgres://user@%2Frun%2Fpostgresql/db", here: true},
		{url: "postgresql:///db?host=/run/postgresql", here: true},
		{url: "postgres:///db?host=10.0.0.7"},
		{url: "postgres://u:p@db.example.org:5432/x"},
		{url: "postgres:///db?service=far"},
		{url: "postgres:///db?service=near", here: true},
		{url: "postgres:///db", name: "PGSERVICE", value: "near", here: true},
		{url: "POSTGRES://LOCALHOST/db", here: true},
		{url: "postgres://db.example.org/db", name: "PGHOST", value: "localhost"},
		{url: "etcd://h", name: "ETCDCTL_ENDPOINTS", value: "localhost:2379"},
		{url: "redis://localhost.localdomain", here: true},
		{url: "redis://ip6-localhost", here: true},
		{url: "redis://127.0.0.1.example.org"},
		{url: "consul://", name: "CONSUL_HTTP_ADDR", value: "unix:///run/consul.sock"},
	} {
		t.Run(c.url+" "+c.name, func(t *testing.T) {
			if c.name != "" {
				t.Setenv(c.name, c.value)
			}
			if why := onlyHere(c.url); (why != "") != c.here {
				t.Errorf("%s, %s=%s: %q", c.url, c.name, c.value, why)
			}
		})
	}
}

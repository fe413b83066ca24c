package deploy

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/unit"
)

const (
	units     = "../systemd"
	installed = "/usr/local/bin/leadership"
)

// service reads the [Service] of a unit.
func service(t *testing.T, name string) map[string][]string {
	t.Helper()
	file, err := os.Open(filepath.Join(units, name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	options, err := unit.DeserializeOptions(file)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]string)
	for _, o := range options {
		if o.Section == "Service" {
			all[o.Name] = append(all[o.Name], o.Value)
		}
	}
	return all
}

func TestUnitsAreSoundAndLocked(t *testing.T) {
	t.Parallel()
	for name, exposure := range map[string]string{"leadership.service": "15", "leadership-run@.service": "25"} {
		content, err := os.ReadFile(filepath.Join(units, name))
		if err != nil {
			t.Fatal(err)
		}
		// The program has to be where the unit says.
		folder := t.TempDir()
		name = strings.Replace(name, "@.", "@scheduler.", 1)
		copied := filepath.Join(folder, name)
		if err := os.WriteFile(copied, []byte(strings.ReplaceAll(string(content), installed, program)), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{
			{"verify", "--man=no", copied},
			{"security", "--offline=true", "--threshold=" + exposure, "--no-pager", copied},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			out, err := exec.CommandContext(ctx, "systemd-analyze", args...).CombinedOutput()
			if err != nil || args[0] == "verify" && len(out) > 0 {
				t.Errorf("systemd-analyze %q: %v: %s", args, err, out)
			}
		}
	}
}

func TestServiceOfSystemdServesWhoeverHasTheToken(t *testing.T) {
	t.Parallel()
	s := service(t, "leadership.service")
	credentials, state, address := t.TempDir(), t.TempDir(), freePort(t)
	const token = "0123456789abcdef0123456789abcdef"
	name, _, _ := strings.Cut(s["LoadCredential"][0], ":")
	if err := os.WriteFile(filepath.Join(credentials, name), []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	command := strings.Fields(s["ExecStart"][0])
	accepted(t, command[1:], s["Environment"])
	command = replace(t, command, installed, program, "127.0.0.1:8080", address, "${CREDENTIALS_DIRECTORY}", credentials)
	p := start(t, command, replace(t, s["Environment"], "/var/lib/"+s["StateDirectory"][0], state))
	alive := func() bool {
		code, _ := get(t, "http://"+address+"/alive", "")
		return code == 200
	}
	eventually(t, "server", alive)
	if code, _ := get(t, "http://"+address+"/api/v1/elected/s/r", ""); code != 401 {
		t.Errorf("without the token: %d", code)
	}
	if code, _ := get(t, "http://"+address+"/api/v1/elect/s/r?node=a", token); code != 202 {
		t.Errorf("with the token: %d", code)
	}
	if code := p.end(t, syscall.SIGTERM, time.Duration(seconds(t, s["TimeoutStopSec"][0]))*time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestTemplateOfSystemdRunsItsCommandOnOneMachine(t *testing.T) {
	t.Parallel()
	s := service(t, "leadership-run@.service")
	command := strings.Fields(s["ExecStart"][0])
	accepted(t, replace(t, command[1:], "${TTL}", "15s"), s["Environment"])
	store := "LEADERSHIP_STORE=sqlite://" + filepath.Join(t.TempDir(), "e.db")
	machine := func(name string) *process {
		argv := replace(t, command, installed, program, "%i", "scheduler", "%H", name, "${TTL}", "15s", "$COMMAND", "tail -f /proc/self/environ")
		return start(t, strings.Fields(strings.Join(argv, " ")), []string{store}) // apart at its blanks, as systemd has it
	}
	leads := func(p *process) bool { return strings.Contains(p.out.String(), "LEADERSHIP_NODE=") }

	a := machine("a")
	eventually(t, "leader a", func() bool { return leads(a) })
	b := machine("b")
	if code := a.end(t, syscall.SIGTERM, time.Duration(seconds(t, s["TimeoutStopSec"][0]))*time.Second); code != 128+int(syscall.SIGTERM) {
		t.Errorf("exit code %d", code)
	}
	eventually(t, "leader b", func() bool { return leads(b) })
	if !strings.Contains(b.out.String(), "LEADERSHIP_KEY=service/scheduler") {
		t.Errorf("got %q", b.out.String())
	}
}

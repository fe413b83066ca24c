package deploy

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// container returns one container of a pod, and its environment.
func container(t *testing.T, pod *corev1.PodTemplateSpec, name, node string) (corev1.Container, []string) {
	t.Helper()
	all := containers(pod)
	i := slices.IndexFunc(all, func(c corev1.Container) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("there is no container %s", name)
	}
	var environ []string
	for _, e := range all[i].Env {
		value := e.Value
		if e.ValueFrom != nil && e.ValueFrom.FieldRef.FieldPath == "metadata.name" {
			value = node
		}
		environ = append(environ, e.Name+"="+value)
	}
	return all[i], environ
}

// startEtcd starts the three members of the file, on the loopback interface, and
// returns what has to be replaced for the others to reach them.
func startEtcd(t *testing.T, c *cluster) []string {
	t.Helper()
	var clients, peers []string
	for i := range *c.sets["etcd"].Spec.Replicas {
		client, peer := freePort(t), freePort(t)
		clients = append(clients, fmt.Sprintf("etcd-%d.etcd:2379", i), client)
		peers = append(peers, fmt.Sprintf("etcd-%d.etcd:2380", i), peer)
	}
	for i := range *c.sets["etcd"].Spec.Replicas {
		node := fmt.Sprintf("etcd-%d", i)
		e, _ := container(t, c.pods["etcd"], "etcd", node)
		args := replace(t, e.Command, "$(POD_NAME)", node)
		args = replace(t, args, slices.Concat(peers, []string{
			clients[2*i], clients[2*i+1], "0.0.0.0:2379", clients[2*i+1], "0.0.0.0:2380", peers[2*i+1],
			"/var/lib/etcd", t.TempDir(),
		})...)
		start(t, args, nil)
	}
	for i := 1; i < len(clients); i += 2 {
		eventually(t, "etcd", func() bool {
			// What is /readyz in the image's etcd is this in older ones, too.
			code, _ := get(t, "http://"+clients[i]+"/health", "")
			return code == http.StatusOK
		})
	}
	return clients
}

// Three pods of the example, as the kubelet starts them and asks whether they are
// ready.
func TestServiceOfTheLeaderHasTheLeaderBehindIt(t *testing.T) {
	t.Parallel()
	c := readCluster(t)
	etcd := startEtcd(t, c)
	tokens, programs := t.TempDir(), t.TempDir()
	for _, name := range []string{"read", "write"} {
		if err := os.WriteFile(filepath.Join(tokens, name), []byte("0123456789abcdef-"+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// In place of busybox' server.
	if err := os.WriteFile(filepath.Join(programs, "httpd"), []byte("#!/bin/sh\nexec sleep 1000\n"), 0o700); err != nil { //nolint:gosec // It is a program.
		t.Fatal(err)
	}
	type pod struct {
		work  *process
		probe string
		page  string
	}
	pods := make(map[string]pod)
	for i := range *c.deploys["web"].Spec.Replicas {
		node := fmt.Sprintf("web-%d", i)
		address, www := freePort(t), t.TempDir()
		health, environ := container(t, c.pods["web"], "health", node)
		start(t, append([]string{program}, replace(t, health.Args, "$(POD_NAME)", node, ":8080", address, "/run/tokens", tokens)...), replace(t, environ, etcd...))
		web, environ := container(t, c.pods["web"], "web", node)
		environ = append(replace(t, environ, etcd...), "PATH="+programs+":/usr/bin:/bin")
		pods[node] = pod{
			start(t, append([]string{program}, replace(t, web.Args, "$(POD_NAME)", node, "/www", www)...), environ),
			"http://" + address + health.ReadinessProbe.HTTPGet.Path, filepath.Join(www, "index.html"),
		}
	}
	ready := func() (names []string) {
		for name, p := range pods {
			if code, _ := get(t, p.probe, ""); code == http.StatusOK {
				names = append(names, name)
			}
		}
		return names
	}
	var leader string
	one := func() bool {
		names := ready()
		if len(names) != 1 {
			return false
		}
		leader = names[0]
		page, err := os.ReadFile(pods[leader].page)
		return err == nil && strings.HasPrefix(string(page), leader+" leads, term ")
	}
	eventually(t, "pod that is ready", one)
	first := leader
	if code := pods[first].work.end(t, syscall.SIGTERM, time.Duration(*c.pods["web"].Spec.TerminationGracePeriodSeconds)*time.Second); code != 128+int(syscall.SIGTERM) {
		t.Errorf("exit code %d", code)
	}
	eventually(t, "pod that is ready after it", func() bool { return one() && leader != first })
}

func TestCronJobRunsOnceForEachTimeThatItIsDue(t *testing.T) {
	t.Parallel()
	c := readCluster(t)
	store := "sqlite://" + filepath.Join(t.TempDir(), "e.db")
	ran := 0
	for i := range 4 {
		node := fmt.Sprintf("backup-%d", i)
		b, environ := container(t, c.pods["backup"], "backup", node)
		for i, e := range environ {
			if strings.HasPrefix(e, "LEADERSHIP_STORE=") {
				environ[i] = "LEADERSHIP_STORE=" + store
			}
		}
		job := fmt.Sprintf("backup-%d", 29000000+i/2) // two pods for each time
		code, out := run(t, append([]string{program}, replace(t, b.Args, "$(JOB_NAME)", job, "$(POD_NAME)", node)...), environ)
		if code != 0 {
			t.Errorf("exit code %d: %s", code, out)
		}
		ran += strings.Count(out, "backup for "+job)
	}
	if ran != 2 {
		t.Errorf("it ran %d times for two times", ran)
	}
}

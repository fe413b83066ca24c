package zookeeper_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/certs"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
)

// wantRefused wants url not to open, in time, with an error that has all of
// parts in it and none of the secrets.
func wantRefused(t *testing.T, url string, parts ...string) error {
	t.Helper()
	began := time.Now()
	kv, err := store.Open(t.Context(), url)
	if took := time.Since(began); took > store.OpenTimeout {
		t.Errorf("it took %v", took)
	}
	if err == nil {
		kv.Close()
		t.Fatalf("%s is opened", url)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error is %v; want it to say %q", err, part)
		}
	}
	if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the error shows the secret: %v", err)
	}
	return err
}

func TestOpenWithAPrefix(t *testing.T) {
	server := servers.Shared(t, "zookeeper")
	url, base := "zookeeper://"+server.Addr, newBase()
	kv := open(t, url+"/some%20where/"+base+"/")
	pair := create(t, kv, "a", "x")
	if pair.Key != "a" {
		t.Errorf("the key is %q", pair.Key)
	}
	wantValue(t, open(t, url), "some where/"+base+"/a", "x")
	wantValue(t, open(t, url+"/some%20where"), base+"/a", "x")
	conn := connect(t, server.Addr)
	if data, _, err := conn.Get("/some where/" + base + "/a"); string(data) != "x" || err != nil {
		t.Errorf("the node has %q, %v", data, err)
	}
}

func TestOpenFindsTheHostThatIsThere(t *testing.T) {
	base := newBase()
	addr := servers.Shared(t, "zookeeper").Addr
	create(t, open(t, "zookeeper://"+deadAddr(t)+",no-such-host.invalid,"+addr), base, "x")
}

// deadAddr is an address at which no server listens.
func deadAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	server := servers.Shared(t, "zookeeper")
	addr, dead, a := server.Addr, deadAddr(t), certs.New(t)
	for url, parts := range map[string][]string{
		"zookeeper://":                                         {"no host"},
		"zookeeper://h:99999":                                  {`"99999"`},
		"zookeeper://" + addr + "/?timeout=1s":                 {"unknown parameter", `"timeout"`},
		"zookeeper://s3cret@" + addr:                           {"a login is"},
		"zookeeper://" + addr + "/a,h2:2181/a":                 {"comma"},
		"zookeeper://" + addr + "/a//b":                        {"empty part"},
		"zookeeper://" + addr + "/..":                          {`".."`},
		"zookeeper://user@" + addr:                             {"a login is", "password"},
		"zookeeper://:s3cret@" + addr:                          {"a login is", "user"},
		"zookeeper://a%3Ab:s3cret@" + addr:                     {`"a:b"`, "colon"},
		"zookeeper://" + addr + "/?ca=/no/such/file":           {`"ca"`, "/no/such/file"},
		"zookeeper://" + addr + "/?cert=" + a.ClientCert:       {`"cert"`, `"key"`},
		"zookeeper://" + addr + "/?tls=true":                   {"TLS with " + addr},
		"zookeeper://no-such-host.invalid":                     {"lookup no-such-host.invalid"},
		"zookeeper://u:s3cret@" + dead:                         {dead, "connection refused"},
		"zookeeper://" + dead + ",no-such-host.invalid/prefix": {dead, "refused", "lookup no-such-host.invalid"},
	} {
		t.Run(url, func(t *testing.T) {
			err := wantRefused(t, url, parts...)
			if strings.Contains(url, dead) && !errors.Is(err, store.ErrNotReachable) {
				t.Errorf("%v is not ErrNotReachable", err)
			}
		})
	}
}

func TestOpenTellsWhoIsNoZooKeeper(t *testing.T) {
	for greeting, want := range map[string]string{
		"HTTP/1.1 400 Bad Request\r\n\r\n": "not one of ZooKeeper",
		"":                                 "closed the connection",
	} {
		t.Run(want, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			defer func() { l.Close(); <-done }()
			go func() {
				defer close(done)
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					_, _ = conn.Write([]byte(greeting))
					conn.Close()
				}
			}()
			_ = wantRefused(t, "zookeeper://"+l.Addr().String(), l.Addr().String(), want, "TLS")
		})
	}
}

func TestOpenGivesUpAFrozenServer(t *testing.T) {
	server := servers.New(t, "zookeeper")
	server.Freeze()
	defer server.Thaw()
	for _, query := range []string{"", "?tls=true"} {
		err := wantRefused(t, "zookeeper://"+server.Addr+"/"+query, server.Addr)
		if !errors.Is(err, store.ErrNotReachable) {
			t.Errorf("%v is not ErrNotReachable", err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	if kv, err := store.Open(ctx, "zookeeper://"+server.Addr); err == nil {
		kv.Close()
		t.Error("it is opened")
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v, and the context 100 ms", took)
	}
}

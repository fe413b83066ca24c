package redis_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
)

// wantOpenError wants Open to refuse in time, with all of these in the error and
// without the secret.
func wantOpenError(t *testing.T, url, secret string, want ...string) error {
	t.Helper()
	began := time.Now()
	kv, err := store.Open(t.Context(), url)
	took := time.Since(began)
	if err == nil {
		kv.Close()
		t.Errorf("%s was opened", url)
		return nil
	}
	t.Logf("%v: %v", took.Round(time.Millisecond), err)
	for _, words := range want {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("the error does not say %q: %v", words, err)
		}
	}
	if secret != "" && strings.Contains(err.Error(), secret) {
		t.Errorf("the error shows the secret: %v", err)
	}
	if took > store.OpenTimeout {
		t.Errorf("it took %v", took)
	}
	return err
}

// deadPort returns the address of a port on which no server listens.
func deadPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	return l.Addr().String()
}

func TestOpenUsesDatabaseAndPrefix(t *testing.T) {
	addr := servers.Shared(t, "redis").Addr
	key := freshKey(t)
	one := openURL(t, "redis://"+addr+"/1?prefix=app:&poll=2s&replicas=0")
	defer one.Close()
	pair := put(t, one, key, "a", nil, 0)
	if pair.Key != key {
		t.Errorf("the key came back as %q", pair.Key)
	}
	same := openURL(t, "redis://"+addr+"/1")
	defer same.Close()
	wantValue(t, same, "app:"+key, "a")
	valkey := openURL(t, "valkey://"+addr+"/1")
	defer valkey.Close()
	wantValue(t, valkey, "app:"+key, "a")
	other := openURL(t, "REDIS://"+addr)
	defer other.Close()
	if _, err := other.Get(t.Context(), "app:"+key, nil); !errors.Is(err, store.ErrKeyNotFound) {
		t.Errorf("another database: %v", err)
	}
}

func TestOpenRefusesWhatIsWrongInTheURL(t *testing.T) {
	const host = "127.0.0.1:1"
	for url, want := range map[string]string{
		"redis://" + host + "/first":                         `"first"`,
		"redis://" + host + "/-1":                            `"-1"`,
		"redis://" + host + "/1?db=2":                        "use one of them",
		"redis://" + host + "?db=-1":                         `"db"`,
		"redis+cluster://" + host + "?db=1":                  `"db"`,
		"redis://" + host + ",127.0.0.1:2":                   "redis+sentinel://",
		"redis://" + host + "?color=red":                     `"color"`,
		"redis://" + host + "?replicas=many":                 `"many"`,
		"redis://" + host + "?replicas=-1":                   `"-1"`,
		"redis://" + host + "?pool_size=0":                   "at least 1",
		"redis+cluster://" + host + "?pool_size=all":         `"all"`,
		"redis://" + host + "?poll=often":                    `"often"`,
		"redis://127.0.0.1:port":                             "1 to 65535",
		"redis://":                                           "no host",
		"redis:///run/redis.sock":                            "unix:///run/redis.sock",
		"valkeys:///run/redis.sock":                          "unix:///run/redis.sock",
		"unix://run/redis.sock":                              "absolute path",
		"unix:///run/redis.sock?db=x":                        `"x"`,
		"unix:///run/redis.sock?tls=true":                    `"tls"`,
		"redis://user@" + host:                               ":password@",
		"valkey://" + host + "/first":                        `"first"`,
		"valkeys://" + host + "?tls=false":                   `"tls"`,
		"redis://" + host + "/0,127.0.0.1:2/0":               "comma",
		"redis+sentinel://" + host + "/main?sentinel_user=x": `"sentinel_password"`,
		"redis://" + host + "?sentinel_password=x":           `"sentinel_password"`,
		"rediss://" + host + "?tls=false":                    `"tls"`,
		"rediss://" + host + "?ca=/no/such/file":             "/no/such/file",
		"redis+sentinel://" + host:                           "names no master",
		"redis+sentinel://" + host + "/main/first":           `"first"`,
		"redis+cluster://" + host + "/1":                     "database 0",
		"redis+cluster://" + host + "?sentinel_user=x":       `"sentinel_user"`,
		"redis+cluster://" + host + "?cert=a.pem":            `"key"`,
		"redis+sentinel://" + host + "/main?replicas=1x":     `"1x"`,
	} {
		_ = wantOpenError(t, url, "", want)
	}
}

func TestOpenRefusesAServerThatIsNotThere(t *testing.T) {
	addr := deadPort(t)
	for _, url := range []string{
		"redis://" + addr,
		"rediss://" + addr,
		"redis+sentinel://" + addr + "/main",
		"redis+sentinel://" + addr + "," + deadPort(t) + "/main",
		"redis+cluster://" + addr,
	} {
		if err := wantOpenError(t, url, "", addr, "connection refused"); !errors.Is(err, store.ErrNotReachable) {
			t.Errorf("%s: %v; want ErrNotReachable", url, err)
		}
	}
}

func TestOpenRefusesAServerThatHangs(t *testing.T) {
	server := servers.Redis(t)
	server.Freeze()
	for _, url := range []string{
		"redis://" + server.Addr,
		"rediss://" + server.Addr,
		"redis+sentinel://" + server.Addr + "/main",
		"redis+cluster://" + server.Addr,
	} {
		t.Run(strings.Split(url, ":")[0], func(t *testing.T) {
			t.Parallel()
			if err := wantOpenError(t, url, "", server.Addr); !errors.Is(err, store.ErrNotReachable) {
				t.Errorf("%v; want ErrNotReachable", err)
			}
		})
	}
}

func TestOpenHonoursItsContext(t *testing.T) {
	server := servers.Redis(t)
	server.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if kv, err := store.Open(ctx, "redis://"+server.Addr); err == nil {
		kv.Close()
		t.Error("it was opened")
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestOpenRefusesAServerOfAnotherKind(t *testing.T) {
	addr := servers.Shared(t, "redis").Addr
	set := servers.RedisSentinel(t)
	cluster := servers.RedisCluster(t)
	for url, want := range map[string]string{
		"redis://" + addr + "/99":                            "out of range",
		"rediss://" + addr:                                   "TLS",
		"redis://app:s3cret@" + addr:                         "WRONGPASS",
		"redis+sentinel://" + addr + "/main":                 "unknown command",
		"redis+cluster://" + addr:                            "cluster support disabled",
		"redis://" + set.Addrs[0]:                            "redis+sentinel://",
		"redis://" + cluster[0].Addr:                         "redis+cluster://",
		"redis+sentinel://" + set.Addrs[0] + "/other":        `no master "other"`,
		sentinelURL(set) + "other":                           `no master "mainother"`,
		sentinelURL(set) + "/99":                             "out of range",
		strings.Replace(sentinelURL(set), "s+", "ss+", 1):    "TLS",
		strings.Replace(clusterURL(cluster), "s+", "ss+", 1): "TLS",
	} {
		t.Run(strings.ReplaceAll(url, "/", " "), func(t *testing.T) {
			t.Parallel()
			_ = wantOpenError(t, url, "s3cret", want)
		})
	}
}

func TestOpenOfAUnixSocket(t *testing.T) {
	addr := servers.Shared(t, "redis").Addr
	path := t.TempDir() + "/redis.sock"
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() { // as a server that listens there, too
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", addr)
			if err != nil {
				near.Close()
				return
			}
			go func() { _, _ = io.Copy(far, near); far.Close() }()
			go func() { _, _ = io.Copy(near, far); near.Close() }()
		}
	}()
	key := freshKey(t)
	kv := openURL(t, "unix://"+path+"?db=1")
	defer kv.Close()
	put(t, kv, key, "a", nil, 0)
	same := openURL(t, "redis://"+addr+"/1")
	defer same.Close()
	wantValue(t, same, key, "a")
	if target := store.TargetOf(kv); target.Value("socket") != path {
		t.Errorf("the target is %v", target)
	}
}

// TestSentinelsAreToldTheirPassword: by one that hears it, and no more.
func TestSentinelsAreToldTheirPassword(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	heard := make(chan string, 16)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			first := make([]byte, 4096)
			n, _ := conn.Read(first)
			select {
			case heard <- string(first[:n]):
			default:
			}
			conn.Close()
		}
	}()
	_ = wantOpenError(t, "redis+sentinel://:of-master@"+l.Addr().String()+"/main?sentinel_user=watcher&sentinel_password=of-sentinel", "of-sentinel", "sentinel")
	if said := <-heard; !strings.Contains(said, "watcher") || !strings.Contains(said, "of-sentinel") || strings.Contains(said, "of-master") {
		t.Errorf("the Sentinel is told %q", said)
	}
}

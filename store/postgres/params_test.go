package postgres_test

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-a1d591d3/leadership/internal/certs"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
)

// TestParametersHaveTheirEffect: those of which neither the target nor a refusal tells.
func TestParametersHaveTheirEffect(t *testing.T) {
	at := "postgres://postgres@" + hostport(servers.Shared(t, "postgres")) + "/postgres?table=" + newTable()
	t.Run("application_name", func(t *testing.T) {
		name := newTable()
		wantOpen(t, at+"&application_name="+name)
		var n int
		if err := shared(t).QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE application_name = $1`, name).Scan(&n); err != nil || n == 0 {
			t.Errorf("%d connections, %v", n, err)
		}
	})
	t.Run("options", func(t *testing.T) {
		kv, err := openStore(t, at+"&options=-cdefault_transaction_read_only%3Don&target_session_attrs=any")
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = kv.AtomicPut(t.Context(), "key", nil, nil, nil)
		wantText(t, err, "read-only")
	})
	t.Run("password", func(t *testing.T) {
		server := servers.Secure(t, "postgres")
		s := server.Secret
		login := "postgres://" + server.Addr + "/postgres?user=" + s.User + "&ca=" + url.QueryEscape(s.CA) +
			"&cert=" + url.QueryEscape(s.ClientCert) + "&key=" + url.QueryEscape(s.ClientKey) + "&password="
		wantOpen(t, login+url.PathEscape(s.Password))
		_, err := openStore(t, login+"s3cret")
		wantText(t, err, "password authentication failed")
	})
	t.Run("sslpassword", func(t *testing.T) {
		a := certs.New(t)
		plain, err := os.ReadFile(a.ClientKey)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(plain)
		//nolint:staticcheck // PostgreSQL's own tool reads keys that are encrypted so.
		block, err = x509.EncryptPEMBlock(rand.Reader, block.Type, block.Bytes, []byte("right"), x509.PEMCipherAES256)
		if err != nil {
			t.Fatal(err)
		}
		key := filepath.Join(t.TempDir(), "key.pem")
		if err := os.WriteFile(key, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		files := "postgres://h/db?sslmode=require&sslcert=" + url.QueryEscape(a.ClientCert) + "&sslkey=" + url.QueryEscape(key)
		if _, err := store.Resolve(files + "&sslpassword=right"); err != nil {
			t.Error(err)
		}
		for _, wrong := range []string{"", "&sslpassword=s3cret"} {
			if _, err := store.Resolve(files + wrong); err == nil || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%q: %v", wrong, err)
			}
		}
	})
	t.Run("sslsni", func(t *testing.T) {
		for sni, want := range map[string]string{"0": "", "1": "localhost"} {
			names := make(chan string, 8)
			_, port, _ := net.SplitHostPort(hello(t, names))
			_, err := store.Open(t.Context(), "postgres://u:p@localhost:"+port+"/db?sslmode=require&sslsni="+sni)
			if err == nil {
				t.Fatal("it opens")
			}
			if got := <-names; got != want {
				t.Errorf("sslsni=%s: the server is called %q", sni, got)
			}
		}
	})
}

// hello is a server that takes TLS for as long as it takes to hear how it is called.
func hello(t *testing.T, names chan<- string) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.ReadFull(conn, make([]byte, 8)) // may we talk TLS?
			_, _ = conn.Write([]byte("S"))
			_ = tls.Server(conn, &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
				select {
				case names <- h.ServerName:
				default:
				}
				return nil, io.EOF
			}}).HandshakeContext(t.Context())
			conn.Close()
		}
	}()
	return l.Addr().String()
}

func TestTLSThatASocketDoesNotTalkIsRefused(t *testing.T) {
	for query, want := range map[string]string{
		"tls=true": "socket", "server_name=x": "socket", "sslmode=maybe": "sslmode", "sslnegotiation=maybe": "sslnegotiation",
		"sslmode=require": "", "tls=false": "", "sslnegotiation=postgres": "",
	} {
		_, err := store.Resolve("postgres://%2Frun/db?" + query)
		if want == "" && err != nil {
			t.Errorf("%s: %v", query, err)
		} else if want != "" {
			wantText(t, err, want)
		}
	}
	_, err := store.Resolve("postgres://h/db?sslnegotiation=direct&sslmode=prefer")
	wantText(t, err, "sslnegotiation", "sslmode")
	t.Setenv("PGSSLNEGOTIATION", "maybe")
	_, err = store.Resolve("postgres://h/db")
	wantText(t, err, "PGSSLNEGOTIATION")
}

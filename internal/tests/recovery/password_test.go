package recovery

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/internal/servers"
)

// secretFile is a file that holds a secret.
type secretFile struct {
	t    *testing.T
	path string
}

func newSecretFile(t *testing.T, content string) secretFile {
	t.Helper()
	f := secretFile{t, filepath.Join(t.TempDir(), "secret")}
	f.write(content)
	return f
}

func (f secretFile) write(content string) {
	f.t.Helper()
	if err := os.WriteFile(f.path, []byte(content), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// TestNewTokenOfConsulIsRead: the former one is deleted.
func TestNewTokenOfConsulIsRead(t *testing.T) {
	const other = "5ec2e7aa-0000-4000-8000-0e3a1b2c3d4e"
	for name, asks := range map[string]func(*testing.T, secretFile) map[string]string{
		"parameter": func(_ *testing.T, f secretFile) map[string]string {
			return map[string]string{"token": "", "token_file": f.path}
		},
		"variable": func(t *testing.T, f secretFile) map[string]string {
			t.Setenv("CONSUL_HTTP_TOKEN_FILE", f.path)
			return map[string]string{"token": ""}
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := servers.Secure(t, "consul")
			file := newSecretFile(t, server.Secret.Password+"\n")
			electiontest.Recovers(t, opener(urlOf(server, "consul", asks(t, file))), func() {
				server.NewPassword(other)
				file.write(other + "\n")
			})
		})
	}
}

// TestNewPasswordInAFileIsRead: the former one is refused.
func TestNewPasswordInAFileIsRead(t *testing.T) {
	for _, kind := range []string{"etcd", "redis", "zookeeper"} {
		t.Run(kind, func(t *testing.T) {
			server := servers.Secure(t, kind)
			file := newSecretFile(t, server.Secret.Password+"\n")
			electiontest.Recovers(t, opener(urlOf(server, kind, map[string]string{"password_file": file.path})), func() {
				server.NewPassword("an0ther")
				file.write("an0ther\n")
			})
		})
	}
}

// TestNewPasswordOfPostgreSQLIsRead: from the file that psql reads, too.
func TestNewPasswordOfPostgreSQLIsRead(t *testing.T) {
	server := servers.Secure(t, "postgres")
	line := func(password string) string { return fmt.Sprintf("*:*:*:%s:%s\n", server.Secret.User, password) }
	file := newSecretFile(t, line(`s3cret/of\:the@app%`))
	t.Setenv("PGPASSFILE", file.path)
	t.Setenv("PGUSER", server.Secret.User)
	url := urlOf(server, "postgres", nil)
	url = "postgres://" + url[len("postgres://")+len("app:s3cret%2Fof%3Athe%40app%25@"):]
	electiontest.Recovers(t, opener(url), func() {
		server.NewPassword("an0ther")
		file.write(line("an0ther"))
	})
}

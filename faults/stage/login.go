package stage

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed-a1d591d3/leadership/internal/servers"
)

// login is how clients of a secure server log in. The password is in a file, which they
// read again.
type login struct {
	store  string
	server *servers.Server
	file   string
	count  int // of passwords
}

func newLogin(b *bench, store string, server *servers.Server) *login {
	l := &login{store: store, server: server, file: filepath.Join(b.TempDir(), "password")}
	if err := l.write(); err != nil {
		b.Fatal(err)
	}
	return l
}

// write writes the password as clients read it.
func (l *login) write() error {
	text := l.server.Secret.Password
	if l.store == "postgres" {
		text = fmt.Sprintf("*:*:*:%s:%s", l.server.Secret.User, strings.ReplaceAll(text, ":", `\:`))
	}
	return os.WriteFile(l.file, []byte(text+"\n"), 0o600)
}

func (l *login) url(hosts []string) string {
	secret := l.server.Secret
	u := url.URL{Scheme: l.store, Host: strings.Join(hosts, ","), Path: "/" + secret.User, User: url.User(secret.User)}
	query := url.Values{"ca": {secret.CA}, "cert": {secret.ClientCert}, "key": {secret.ClientKey}}
	file := "password_file"
	switch l.store {
	case "consul":
		u.User, file = nil, "token_file"
	case "redis":
		u.Path = ""
		query.Set("prefix", "service/")
	case "postgres":
		u.Path, file = "/postgres", "passfile"
	}
	query.Set(file, l.file)
	u.RawQuery = query.Encode()
	return u.String()
}

// Rotate gives the servers, and their clients, certificates of another authority, and
// starts the servers anew.
func (s *Stage) Rotate() { s.login.server.Rotate() }

// NewPassword has the servers refuse the present password, and starts them anew; clients
// find the new one in their file.
func (s *Stage) NewPassword() error {
	s.login.count++
	password := fmt.Sprintf("an0ther/%d", s.login.count)
	if s.login.store == "consul" {
		password = fmt.Sprintf("5ec2e7aa-0000-4000-8000-%012d", s.login.count)
	}
	if err := Try(func() { s.login.server.NewPassword(password) }); err != nil {
		return err
	}
	return s.login.write()
}

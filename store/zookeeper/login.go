package zookeeper

import (
	"fmt"
	"strings"
	"sync"

	"github.com/go-zookeeper/zk"

	"github.com/seed-a1d591d3/leadership/store"
)

// login is a user and a password, which a file may hold. ZooKeeper takes any password: who
// has another is another user, who may not do what the ACL of a node lets the former do. So
// a new password comes with new ACLs, and the file is read when something is refused.
// All methods may be called of nil, which is no login.
type login struct {
	user string
	file *store.SecretFile // nil: the password stays

	mu       sync.Mutex
	password string
}

// loginOf returns the login of a URL, or nil.
func loginOf(u *store.URL) (*login, error) {
	file, err := u.SecretFile("password", "")
	if err != nil || !u.HasUser && file == nil {
		return nil, err
	}
	l := &login{user: u.User, file: file, password: u.Password}
	if file != nil {
		l.password, _ = file.Get() // as it was just read
	}
	if l.user == "" || l.password == "" || strings.Contains(l.user, ":") {
		if l.password == "" {
			u.Hide(l.user) // it may be a password
		}
		return nil, fmt.Errorf("user %q: a login is a user, without a colon in it, and a password", l.user)
	}
	return l, nil
}

// now returns the password.
func (l *login) now() string {
	if l == nil {
		return ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.password
}

// add logs a client in. The client does so again when it connects again.
func (l *login) add(conn *zk.Conn) error {
	return conn.AddAuth("digest", []byte(l.user+":"+l.now()))
}

// renew logs a client in with the password that the file holds now. It reports whether that
// is another than before.
func (l *login) renew(conn *zk.Conn, before string) bool {
	if l == nil || l.file == nil {
		return false
	}
	password, _ := l.file.Get()
	if password == before {
		return false
	}
	l.mu.Lock()
	l.password = password
	l.mu.Unlock()
	return l.add(conn) == nil
}

// nodeACL is what nodes are created with.
func (s *Store) nodeACL() []zk.ACL {
	if s.login == nil {
		return s.acl
	}
	// Not zk.AuthACL: that lets in the client's certificate, whatever the login.
	return zk.DigestACL(zk.PermAll, s.login.user, s.login.now())
}

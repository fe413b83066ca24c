package zookeeper

import (
	"fmt"
	"strings"
	"sync"

	"github.com/go-zookeeper/zk"

	"github.com/seed-a1d591d3/leadership/store"
)

// login is a user and a password, which may be in a file. ZooKeeper accepts any password:
// a user with another password is another user, to whom the ACLs of the former do not
// apply. So a new password comes with new ACLs, and the file is read again when a call is
// refused. All methods may be called on nil, which means no login.
type login struct {
	user string
	file *store.SecretFile // nil: the password does not change

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

// now returns the present password.
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

// renew logs a client in with the present password of the file. It reports whether that
// differs from before.
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

// nodeACL returns the ACL for new nodes.
func (s *Store) nodeACL() []zk.ACL {
	if s.login == nil {
		return s.acl
	}
	// Not zk.AuthACL, which would also allow any login with the same client certificate.
	return zk.DigestACL(zk.PermAll, s.login.user, s.login.now())
}

package postgres

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed-a1d591d3/leadership/internal/certs"
)

// TestLastSettingsServeInTheMiddleOfARenewal tests PostgreSQL's own parameters.
func TestLastSettingsServeInTheMiddleOfARenewal(t *testing.T) {
	a, other := certs.New(t), certs.New(t)
	const lifetime = 2 * time.Second
	a.RenewClient(t, lifetime)
	expires := time.Now().Add(lifetime)
	s := &settings{text: fmt.Sprintf("host=h user=u password=p sslmode=verify-full sslrootcert=%s sslcert=%s sslkey=%s", a.CA, a.ClientCert, a.ClientKey)}
	pool, err := s.parse()
	if err != nil {
		t.Fatal(err)
	}
	next := func() (*pgx.ConnConfig, error) {
		conn := pool.ConnConfig.Copy()
		return conn, s.renew(t.Context(), conn)
	}
	shown := func(conn *pgx.ConnConfig) string { return conn.TLSConfig.Certificates[0].Leaf.SerialNumber.String() }
	conn, err := next()
	if err != nil {
		t.Fatal(err)
	}
	first := shown(conn)

	replace := func(to, from string) {
		t.Helper()
		content, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	replace(a.ClientCert, other.ClientCert)
	if conn, err = next(); err != nil || shown(conn) != first {
		t.Fatalf("without the key of the new certificate: %v", err)
	}
	time.Sleep(time.Until(expires.Add(100 * time.Millisecond)))
	if _, err := next(); err == nil || !strings.Contains(err.Error(), "has expired") {
		t.Errorf("%v; want that the former one has expired", err)
	}
	replace(a.ClientKey, other.ClientKey)
	if conn, err = next(); err != nil || shown(conn) == first {
		t.Errorf("the former certificate is shown, or none: %v", err)
	}
}

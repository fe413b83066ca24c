package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-a1d591d3/leadership/internal/reread"
	"github.com/seed-a1d591d3/leadership/store"
)

// settings are the settings of connections. The files of passwords and certificates in
// them are read for each connection: pgx reads them once for a pool.
type settings struct {
	text     string // what pgx parses, without a password
	password string // of the URL
	secure   *store.TLS

	anyServer bool // the URL or the environment sets target_session_attrs

	mu   sync.Mutex
	last *pgconn.Config // when the files could last be read
}

// parse returns the settings with the present content of the files, and records them as
// last.
func (s *settings) parse() (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(s.text)
	if err != nil {
		return nil, settingsError(err)
	}
	conn := &config.ConnConfig.Config
	if s.password != "" {
		conn.Password = s.password
	}
	secure, err := s.secure.Config()
	if err != nil {
		return nil, err
	}
	if secure != nil {
		// There is no fallback without TLS.
		conn.TLSConfig = named(secure, conn.Host)
		for _, other := range conn.Fallbacks {
			other.TLSConfig = named(secure, other.Host)
		}
	}
	if conn.ValidateConnect == nil && !s.anyServer { // a service may set it as well
		conn.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if conn.Password == "" && s.last != nil {
		conn.Password = s.last.Password // pgx ignores a missing file
	}
	s.last = conn
	return config, nil
}

// renew sets the passwords and certificates of a new connection to the present content of
// the files. While they cannot be read, as in the middle of a renewal, it uses the last
// ones, until the client certificate expires.
func (s *settings) renew(_ context.Context, conn *pgx.ConnConfig) error {
	_, err := s.parse()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if expired := reread.Expired(s.last.TLSConfig); expired != nil {
			return fmt.Errorf("%w, and there is no new one: %w", expired, err)
		}
	}
	if len(conn.Fallbacks) != len(s.last.Fallbacks) {
		return errors.New("the service file names other servers than at the start: restart the program")
	}
	conn.Password, conn.TLSConfig = s.last.Password, s.last.TLSConfig
	for i, other := range conn.Fallbacks {
		other.TLSConfig = s.last.Fallbacks[i].TLSConfig
	}
	return nil
}

// named returns config with the name of a host.
func named(config *tls.Config, host string) *tls.Config {
	if strings.HasPrefix(host, "/") { // a Unix socket
		return nil
	}
	config = config.Clone()
	if config.ServerName == "" {
		config.ServerName = host
	}
	return config
}

// settingsError returns an error of pgx's parser without the quoted settings.
func settingsError(err error) error {
	var parse *pgconn.ParseConfigError
	if !errors.As(err, &parse) {
		return err
	}
	_, text, ok := strings.Cut(err.Error(), "`: ")
	if cause := parse.Unwrap(); cause != nil && !ok {
		return cause
	}
	return fmt.Errorf("connection settings: %s", text)
}

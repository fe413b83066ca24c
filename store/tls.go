package store

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/seed-a1d591d3/leadership/internal/reread"
)

// TLSParams are the parameters that URL.TLS reads, for a Driver's Params.
func TLSParams() []string { return []string{"tls", "ca", "cert", "key", "server_name"} }

// TLSEnv names the environment variables that set a parameter of TLS if the URL does not.
// A parameter with an empty name has none.
type TLSEnv struct{ CA, Cert, Key, ServerName string }

// TLS is the TLS configuration of a URL. Its files are read again when they have changed,
// so that a certificate may be renewed while a store is open. It is safe for concurrent
// use.
type TLS struct {
	files *reread.Files[*tls.Config]
}

// Config returns the configuration of the next connection; call it for each. The caller
// may clone it, but must not change it. It is the same one until the files change. For a
// nil TLS, which means no TLS, it returns nil.
//
// If the files cannot be read, or a certificate and its key do not match, as in the
// middle of a renewal, Config returns the configuration before until its certificate
// expires, and then an error that names the files.
func (t *TLS) Config() (*tls.Config, error) {
	if t == nil {
		return nil, nil //nolint:nilnil // No TLS is no error.
	}
	config, err := t.files.Get()
	switch {
	case err == nil:
		return config, nil
	case config == nil:
		return nil, err
	}
	if expired := reread.Expired(config); expired != nil {
		return nil, fmt.Errorf("%w, and there is no new one: %w", expired, err)
	}
	return config, nil
}

// TLS returns the TLS configuration of the URL and the environment, or nil if neither
// asks for TLS. Each of these parameters does:
//
//	tls=true              the system's certificate authorities
//	ca=FILE               the authorities in that PEM file, and no others
//	cert=FILE, key=FILE   the client's certificate, in PEM; both or neither
//	server_name=NAME      the name in the server's certificate; the host by default
//
// So does the environment variable of a parameter. If required is true, as for rediss://,
// TLS is used in any case. tls=false is an error then, and beside any of the other
// parameters.
func (u *URL) TLS(env TLSEnv, required bool) (*TLS, error) {
	on, err := u.Bool("tls")
	if err != nil {
		return nil, err
	}
	ca, caFrom := u.setting("ca", names(env.CA)...)
	cert, certFrom := u.setting("cert", names(env.Cert)...)
	key, keyFrom := u.setting("key", names(env.Key)...)
	serverName := u.Setting("server_name", names(env.ServerName)...)
	asked := ca != "" || cert != "" || key != "" || serverName != ""
	if u.Has("tls") && !on {
		switch {
		case required:
			return nil, fmt.Errorf("parameter %q is false, but %s:// means TLS", "tls", u.Scheme)
		case u.Has("ca"), u.Has("cert"), u.Has("key"), u.Has("server_name"):
			return nil, fmt.Errorf("parameter %q is false beside others that ask for TLS", "tls")
		}
		return nil, nil
	}
	if !on && !asked && !required {
		return nil, nil
	}
	switch {
	case cert != "" && key == "":
		return nil, fmt.Errorf("%s is set, but %s is not: a client's certificate needs its key", certFrom, keyFrom)
	case cert == "" && key != "":
		return nil, fmt.Errorf("%s is set, but %s is not: a key needs its certificate", keyFrom, certFrom)
	}
	for _, file := range [][2]string{{caFrom, ca}, {certFrom, cert}, {keyFrom, key}} {
		if _, err := os.Stat(file[1]); file[1] != "" && err != nil {
			return nil, fmt.Errorf("%s: %w", file[0], err)
		}
	}
	parse := func(contents [][]byte) (*tls.Config, error) {
		config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: serverName}
		if ca != "" {
			config.RootCAs = x509.NewCertPool()
			if !config.RootCAs.AppendCertsFromPEM(contents[0]) {
				return nil, fmt.Errorf("%s: %s has no certificate in PEM", caFrom, ca)
			}
			contents = contents[1:]
		}
		if cert != "" {
			pair, err := tls.X509KeyPair(contents[0], contents[1])
			if err != nil {
				return nil, fmt.Errorf("%s %s and %s %s: %w", certFrom, cert, keyFrom, key, err)
			}
			config.Certificates = []tls.Certificate{pair}
		}
		return config, nil
	}
	t := &TLS{reread.New(parse, ca, cert, key)}
	if _, err := t.Config(); err != nil {
		return nil, err
	}
	return t, nil
}

func names(variable string) []string {
	if variable == "" {
		return nil
	}
	return []string{variable}
}

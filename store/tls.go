package store

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// TLSParams are the parameters that URL.TLS reads, for a Driver's Params.
func TLSParams() []string { return []string{"tls", "ca", "cert", "key", "server_name"} }

// TLSEnv names the environment variables that stand in for the parameters of
// TLS. Empty ones have none.
type TLSEnv struct{ CA, Cert, Key, ServerName string }

// TLS returns how to talk TLS as the URL and the environment say, or nil where
// neither asks for it. These parameters do, each:
//
//	tls=true              the system's certificate authorities
//	ca=FILE               the authorities in that PEM file, and no others
//	cert=FILE, key=FILE   the client's certificate, in PEM; both or neither
//	server_name=NAME      the name in the server's certificate; the host by default
//
// An environment variable does as its parameter. With required, as for rediss://,
// TLS is used even if nothing asks for it; tls=false then is an error, as it is
// beside any of the others.
func (u *URL) TLS(env TLSEnv, required bool) (*tls.Config, error) {
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
			return nil, fmt.Errorf("parameter %q is false, but %s:// is with TLS", "tls", u.Scheme)
		case u.Has("ca"), u.Has("cert"), u.Has("key"), u.Has("server_name"):
			return nil, fmt.Errorf("parameter %q is false beside others that ask for TLS", "tls")
		}
		return nil, nil
	}
	if !on && !asked && !required {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: serverName}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", caFrom, err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: %s has no certificate in PEM", caFrom, ca)
		}
	}
	switch {
	case cert == "" && key == "":
		return config, nil
	case key == "":
		return nil, fmt.Errorf("%s is set, but %s is not: a client's certificate needs its key", certFrom, keyFrom)
	case cert == "":
		return nil, fmt.Errorf("%s is set, but %s is not: a key needs its certificate", keyFrom, certFrom)
	}
	for from, file := range map[string]string{certFrom: cert, keyFrom: key} {
		if _, err := os.Stat(file); err != nil {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%s %s and %s %s: %w", certFrom, cert, keyFrom, key, err)
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

func names(variable string) []string {
	if variable == "" {
		return nil
	}
	return []string{variable}
}

package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/seed-a1d591d3/leadership/internal/reread"
)

// tlsFiles are the files of a server's certificates.
type tlsFiles struct {
	cert, key, clientCA string
}

func (t *tlsFiles) flags(flags *pflag.FlagSet) {
	flags.StringVar(&t.cert, "tls-cert", "", "file with the server's certificate, and intermediate ones, in PEM")
	flags.StringVar(&t.key, "tls-key", "", "file with its key, in PEM")
	flags.StringVar(&t.clientCA, "tls-client-ca", "", "file with authorities: clients need a certificate of one of them")
}

// load reads the certificates, and returns nil if there are none.
func (t *tlsFiles) load() (*reread.Files[*tls.Config], error) {
	switch {
	case (t.cert == "") != (t.key == ""):
		return nil, usage("--tls-cert and --tls-key must be set together")
	case t.clientCA != "" && t.cert == "":
		return nil, usage("--tls-client-ca is of no use without --tls-cert and --tls-key")
	case t.cert == "":
		return nil, nil //nolint:nilnil // No certificates are no error.
	}
	files := reread.New(t.parse, t.cert, t.key, t.clientCA)
	if _, err := files.Get(); err != nil {
		return nil, usage("--tls-cert, --tls-key, --tls-client-ca: %w", err)
	}
	return files, nil
}

// parse returns the configuration of a server with those files.
func (t *tlsFiles) parse(contents [][]byte) (*tls.Config, error) {
	config := serverTLS()
	pair, err := tls.X509KeyPair(contents[0], contents[1])
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", t.cert, t.key, err)
	}
	config.Certificates = []tls.Certificate{pair}
	if t.clientCA != "" {
		pool, err := authorities(t.clientCA, contents[2])
		if err != nil {
			return nil, err
		}
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, pool
	}
	return config, nil
}

// eachConnection makes the server use for each connection the present content of the
// files, or the last that could be read.
func eachConnection(files *reread.Files[*tls.Config]) *tls.Config {
	config := serverTLS()
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		now, _ := files.Get() // it was read before; later errors are logged
		return now, nil
	}
	return config
}

// serverTLS is common to all configurations of a server.
func serverTLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
}

// authorities returns the certificates in the content of a file.
func authorities(file string, content []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("%s has no certificate in it", file)
	}
	return pool, nil
}

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/pflag"
)

// certificatePoll is how often the files of certificates are looked at.
const certificatePoll = 5 * time.Second

// tlsFiles are the files of a server's certificates.
type tlsFiles struct {
	cert, key, clientCA string
}

func (t *tlsFiles) flags(flags *pflag.FlagSet) {
	flags.StringVar(&t.cert, "tls-cert", "", "file with the server's certificate, and those between it and its authority, in PEM")
	flags.StringVar(&t.key, "tls-key", "", "file with its key, in PEM")
	flags.StringVar(&t.clientCA, "tls-client-ca", "", "file with authorities: clients need a certificate of one of them")
}

// load reads the certificates, and returns nil where there are none. Close what
// it returns.
func (t *tlsFiles) load(log *slog.Logger) (*certificates, error) {
	switch {
	case (t.cert == "") != (t.key == ""):
		return nil, usage("--tls-cert and --tls-key go together")
	case t.clientCA != "" && t.cert == "":
		return nil, usage("--tls-client-ca is of no use without --tls-cert and --tls-key")
	case t.cert == "":
		return nil, nil //nolint:nilnil // No certificates are no error.
	}
	c := &certificates{files: *t, log: log}
	state := c.state()
	if err := c.load(); err != nil {
		return nil, usage("%w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	c.all.Go(func() {
		defer signal.Stop(hup)
		c.watch(ctx, hup, state)
	})
	return c, nil
}

// certificates are what clients are shown, and asked for; always the latest that
// could be read.
type certificates struct {
	files  tlsFiles
	log    *slog.Logger
	now    atomic.Pointer[tls.Config]
	cancel context.CancelFunc
	all    sync.WaitGroup
}

// config is for the server: each connection has the configuration of its time.
func (c *certificates) config() *tls.Config {
	config := serverTLS()
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.now.Load(), nil }
	return config
}

// serverTLS is what every configuration of a server has.
func serverTLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
}

// load reads the files.
func (c *certificates) load() error {
	next := serverTLS()
	if err := addPair(next, c.files.cert, c.files.key); err != nil {
		return err
	}
	if c.files.clientCA != "" {
		pool, err := authorities("--tls-client-ca", c.files.clientCA)
		if err != nil {
			return err
		}
		next.ClientAuth, next.ClientCAs = tls.RequireAndVerifyClientCert, pool
	}
	c.now.Store(next)
	return nil
}

// addPair adds the certificate that --tls-cert and --tls-key name.
func addPair(config *tls.Config, cert, key string) error {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("--tls-cert, --tls-key: %w", err)
	}
	config.Certificates = []tls.Certificate{pair}
	return nil
}

// authorities are the certificates in the file that a flag names.
func authorities(flag, file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: %s has no certificate in it", flag, file)
	}
	return pool, nil
}

// watch reads the files again when they have changed, and at hup.
func (c *certificates) watch(ctx context.Context, hup <-chan os.Signal, last []fileState) {
	tick := time.NewTicker(certificatePoll)
	defer tick.Stop()
	for {
		asked := false
		select {
		case <-ctx.Done():
			return
		case <-hup:
			asked = true
		case <-tick.C:
		}
		now := c.state()
		if !asked && slices.Equal(now, last) {
			continue
		}
		// Files are replaced one by one, so a certificate and a key may not
		// fit: they will at the next look, when the other has changed too.
		last = now
		if err := c.load(); err != nil {
			c.log.Warn("the certificates were not replaced", "error", err)
			continue
		}
		c.log.Info("certificates read again")
	}
}

// fileState tells a file from what it is after a change.
type fileState struct {
	size int64
	time time.Time
}

func (c *certificates) state() []fileState {
	states := make([]fileState, 0, 3)
	for _, file := range []string{c.files.cert, c.files.key, c.files.clientCA} {
		var s fileState
		if info, err := os.Stat(file); err == nil {
			s = fileState{info.Size(), info.ModTime()}
		}
		states = append(states, s)
	}
	return states
}

func (c *certificates) close() {
	if c != nil {
		c.cancel()
		c.all.Wait()
	}
}

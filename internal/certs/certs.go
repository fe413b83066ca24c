// Package certs makes certificates for tests.
package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// ServerName is the name in a server's certificate, beside localhost and
// 127.0.0.1.
const ServerName = "store.test"

// Authority is a certificate authority. Its fields are paths of PEM files that
// anybody may read.
type Authority struct {
	CA string

	// Cert and Key are a server's certificate.
	Cert, Key string

	// ClientCert and ClientKey are a client's, of the common name "client".
	ClientCert, ClientKey string

	dir string
	ca  *x509.Certificate
	key *ecdsa.PrivateKey
}

// New makes an authority, a server's certificate and a client's.
func New(t testing.TB) Authority {
	t.Helper()
	dir, err := os.MkdirTemp("", "leadership-certs-") //nolint:usetesting // a server that runs as another user has to read it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}

	ca := template(1, "authority of a test")
	ca.IsCA, ca.BasicConstraintsValid, ca.KeyUsage = true, true, x509.KeyUsageCertSign
	caKey := newKey(t)
	server := template(2, ServerName)
	server.DNSNames, server.IPAddresses = []string{ServerName, "localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
	// Servers of a cluster are each other's clients.
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}

	a := Authority{dir: dir, ca: ca, key: caKey}
	a.CA = writeCert(t, dir, "ca", ca, ca, caKey, caKey)
	serverKey := newKey(t)
	a.Cert, a.Key = writeCert(t, dir, "server", server, ca, serverKey, caKey), writeKey(t, dir, "server", serverKey)
	a.ClientCert, a.ClientKey = filepath.Join(dir, "client.pem"), filepath.Join(dir, "client.key")
	a.RenewClient(t, 24*time.Hour)
	return a
}

// RenewClient replaces the client's certificate and key by others, which expire after
// so long.
func (a Authority) RenewClient(t testing.TB, lifetime time.Duration) {
	t.Helper()
	client := template(time.Now().UnixNano(), "client")
	client.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	client.NotAfter = time.Now().Add(lifetime)
	key := newKey(t)
	writeCert(t, a.dir, "client", client, a.ca, key, a.key)
	writeKey(t, a.dir, "client", key)
}

// Become replaces the contents of the files by those of another authority's.
func (a Authority) Become(t testing.TB, other Authority) {
	t.Helper()
	for to, from := range map[string]string{
		a.CA: other.CA, a.Cert: other.Cert, a.Key: other.Key, a.ClientCert: other.ClientCert, a.ClientKey: other.ClientKey,
	} {
		content, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, content, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func template(serial int64, name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func writeCert(t testing.TB, dir, name string, cert, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) string {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, &key.PublicKey, parentKey)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, filepath.Join(dir, name+".pem"), "CERTIFICATE", der)
}

func writeKey(t testing.TB, dir, name string, key *ecdsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, filepath.Join(dir, name+".key"), "PRIVATE KEY", der)
}

func write(t testing.TB, path, kind string, der []byte) string {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

package store_test

import (
	"crypto/tls"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/certs"
	"github.com/seed-a1d591d3/leadership/store"
)

// secured returns what a URL with the files of a says of TLS.
func secured(t *testing.T, a certs.Authority) *store.TLS {
	t.Helper()
	if _, err := open(t, "test://h?ca="+a.CA+"&cert="+a.ClientCert+"&key="+a.ClientKey, nil); err != nil {
		t.Fatal(err)
	}
	secure, err := opened.TLS(store.TLSEnv{}, false)
	if err != nil {
		t.Fatal(err)
	}
	return secure
}

func configOf(t *testing.T, secure *store.TLS) *tls.Config {
	t.Helper()
	config, err := secure.Config()
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func TestFilesOfTLSAreReadAgain(t *testing.T) {
	a := certs.New(t)
	secure := secured(t, a)
	before := configOf(t, secure)
	if configOf(t, secure) != before {
		t.Error("another configuration though nothing has changed")
	}
	a.Become(t, certs.New(t))
	after := configOf(t, secure)
	if after.RootCAs.Equal(before.RootCAs) {
		t.Error("the authorities are the former ones")
	}
	if after.Certificates[0].Leaf.Equal(before.Certificates[0].Leaf) {
		t.Error("the certificate is the former one")
	}
}

// TestCertificateWithoutItsKeyIsNotTakenYet replaces one of two files.
func TestCertificateWithoutItsKeyIsNotTakenYet(t *testing.T) {
	a, other := certs.New(t), certs.New(t)
	secure := secured(t, a)
	before := configOf(t, secure)
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
	if configOf(t, secure) != before {
		t.Error("a certificate is shown whose key is not there")
	}
	replace(a.ClientKey, other.ClientKey)
	if configOf(t, secure) == before {
		t.Error("the former certificate is still shown")
	}
}

func TestExpiredCertificateWithoutAnotherIsAnError(t *testing.T) {
	a := certs.New(t)
	a.RenewClient(t, 3*time.Second) // which is long enough to read it on a busy machine
	secure := secured(t, a)
	if err := os.Remove(a.ClientKey); err != nil {
		t.Fatal(err)
	}
	configOf(t, secure)
	for began := time.Now(); time.Since(began) < 10*time.Second; time.Sleep(10 * time.Millisecond) {
		if _, err := secure.Config(); err != nil {
			wantError(t, err, "has expired", a.ClientKey)
			if !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%v is not ErrNotExist", err)
			}
			return
		}
	}
	t.Error("the certificate has expired, and it says nothing")
}

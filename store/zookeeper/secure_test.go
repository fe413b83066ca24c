package zookeeper_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/certs"
	"github.com/seed-a1d591d3/leadership/internal/servers"
)

func TestSecure(t *testing.T) {
	server := servers.Secure(t, "zookeeper")
	secret, stranger := server.Secret, certs.New(t)
	login := url.UserPassword(secret.User, secret.Password).String() + "@"
	files := func(ca, cert, key string) string { return "?ca=" + ca + "&cert=" + cert + "&key=" + key }
	right := files(secret.CA, secret.ClientCert, secret.ClientKey)
	at := func(login, query string) string { return "zookeeper://" + login + server.Addr + "/app" + query }

	t.Run("TheRightWay", func(t *testing.T) {
		kv := open(t, at(login, right))
		w := watch(t, kv, "a")
		await(t, w, "")
		pair := create(t, kv, "a", "1")
		await(t, w, "1")

		// It logs in anew by itself.
		server.Restart()
		put(t, kv, "a", "2", settle(t, kv, pair))
		await(t, w, "2")
		wantValue(t, open(t, at(login, right+"&server_name="+certs.ServerName)), "a", "2")
	})
	for _, test := range []struct {
		name, url string
		want      []string
	}{
		{"NoCA", at(login, "?tls=true&cert="+secret.ClientCert+"&key="+secret.ClientKey), []string{"TLS with " + server.Addr, "unknown authority"}},
		{"WrongCA", at(login, files(stranger.CA, secret.ClientCert, secret.ClientKey)), []string{"TLS with " + server.Addr, "unknown authority"}},
		{"WrongServerName", at(login, right+"&server_name=other.test"), []string{"other.test"}},
		{"NoClientCertificate", at(login, "?ca="+secret.CA), []string{server.Addr, "certificate"}},
		{"StrangersClientCertificate", at(login, files(secret.CA, stranger.ClientCert, stranger.ClientKey)), []string{server.Addr, "certificate"}},
		{"NoTLS", at(login, ""), []string{server.Addr, "TLS"}},
		{"WrongPassword", at("app:wrong-s3cret@", right), []string{`"app" may not read node /`, "password"}},
		{"WrongUser", at("other:"+url.QueryEscape(secret.Password)+"@", right), []string{`"other" may not read node /`, "password"}},
		{"NoLogin", at("", right), []string{"login"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			began := time.Now()
			_ = wantRefused(t, test.url, test.want...)
			t.Logf("refused within %v", time.Since(began).Round(time.Millisecond))
		})
	}
}

package redis_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership/internal/certs"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/storetest"
)

// secureURL returns a URL with all that the server asks for, but for what
// changes takes away or changes.
func secureURL(s *servers.Server, changes map[string]string) string {
	parts := map[string]string{
		"scheme": "rediss", "user": s.Secret.User, "password": s.Secret.Password, "host": s.Addr,
		"ca": s.Secret.CA, "cert": s.Secret.ClientCert, "key": s.Secret.ClientKey, "server_name": "", "prefix": "",
	}
	for name, value := range changes {
		parts[name] = value
	}
	login := url.UserPassword(parts["user"], parts["password"]).String()
	if parts["password"] == "" {
		login = url.User(parts["user"]).String()
	}
	query := url.Values{"poll": {"1h"}} // what a watch tells in time, it was told
	for _, name := range []string{"ca", "cert", "key", "server_name", "prefix"} {
		if parts[name] != "" {
			query.Set(name, parts[name])
		}
	}
	return parts["scheme"] + "://" + login + "@" + parts["host"] + "/?" + query.Encode()
}

// TestSecureConformance uses only the rights in the documentation.
func TestSecureConformance(t *testing.T) {
	server := servers.Secure(t, "redis")
	storetest.Run(t, opener(secureURL(server, map[string]string{"prefix": "service/"})), capabilities)
}

func TestSecureOpen(t *testing.T) {
	server := servers.Secure(t, "redis")
	secret := server.Secret.Password
	for name, changes := range map[string]map[string]string{
		"all of it":      nil,
		"by its name":    {"server_name": certs.ServerName},
		"redis and a CA": {"scheme": "redis"},
		"localhost":      {"host": strings.Replace(server.Addr, "127.0.0.1", "localhost", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			kv := openURL(t, secureURL(server, changes))
			defer kv.Close()
			w := watch(t, kv, freshKey(t))
			put(t, kv, freshKey(t), "a", nil, 0)
			await(t, w, "a")
		})
	}

	other := certs.New(t)
	for name, c := range map[string]struct {
		changes map[string]string
		want    string
	}{
		"no CA":                 {map[string]string{"ca": ""}, "unknown authority"},
		"another CA":            {map[string]string{"ca": other.CA}, "unknown authority"},
		"another name":          {map[string]string{"server_name": "other.test"}, "other.test"},
		"no certificate":        {map[string]string{"cert": "", "key": ""}, "certificate"},
		"another's certificate": {map[string]string{"cert": other.ClientCert, "key": other.ClientKey}, "another client certificate"},
		"wrong password":        {map[string]string{"password": "wr0ng"}, "WRONGPASS"},
		"no password":           {map[string]string{"password": ""}, "without a password"},
		"another user":          {map[string]string{"user": "other"}, "WRONGPASS"},
	} {
		t.Run(name, func(t *testing.T) {
			err := wantOpenError(t, secureURL(server, c.changes), secret, c.want)
			if err != nil && strings.Contains(err.Error(), "wr0ng") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
	t.Run("plain", func(t *testing.T) {
		_ = wantOpenError(t, "redis://app:"+url.QueryEscape(secret)+"@"+server.Addr, secret, "rediss://")
	})
}

func TestSecureOpenByEnvironment(t *testing.T) {
	server := servers.Secure(t, "redis")
	noPassword := secureURL(server, map[string]string{"password": ""})
	t.Setenv("REDISCLI_AUTH", server.Secret.Password)
	kv := openURL(t, noPassword)
	kv.Close()
	// The URL's goes first.
	_ = wantOpenError(t, secureURL(server, map[string]string{"password": "wr0ng"}), "wr0ng", "WRONGPASS")
	t.Setenv("REDISCLI_AUTH", "wr0ng")
	_ = wantOpenError(t, noPassword, "wr0ng", "WRONGPASS")
}

// TestSecureRightsEndWhereTheyShould wants an error that names the missing right for a
// key of another program.
func TestSecureRightsEndWhereTheyShould(t *testing.T) {
	server := servers.Secure(t, "redis")
	kv := openURL(t, secureURL(server, nil))
	defer kv.Close()
	_, _, err := kv.AtomicPut(t.Context(), "other/leader", nil, nil, nil)
	if err == nil || isRefusal(err) || !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("AtomicPut: %v", err)
	}
}

// TestRightsAreTheLeast: without any of the rights a call fails. Those for a subscription
// are left out, because a watch polls without them.
func TestRightsAreTheLeast(t *testing.T) {
	addr := servers.Shared(t, "redis").Addr
	admin := clientOf(t, addr)
	work := func(kv store.Store) error {
		key, old := freshKey(t), freshKey(t)+"/of an earlier version"
		if err := admin.HSet(t.Context(), old, "v", "", "i", 1).Err(); err != nil {
			t.Fatal(err)
		}
		was := &store.KVPair{Key: old, LastIndex: 1}
		for _, ttl := range []time.Duration{time.Hour, 0} {
			var err error
			if _, was, err = kv.AtomicPut(t.Context(), old, nil, was, &store.WriteOptions{TTL: ttl}); err != nil {
				return err
			}
		}
		_, first, err := kv.AtomicPut(t.Context(), key, nil, nil, &store.WriteOptions{TTL: time.Hour})
		if err != nil {
			return err
		}
		if _, _, err := kv.AtomicPut(t.Context(), key, nil, nil, nil); !errors.Is(err, store.ErrKeyExists) {
			return fmt.Errorf("create what is there: %w", err)
		}
		_, second, err := kv.AtomicPut(t.Context(), key, nil, first, nil)
		if err != nil {
			return err
		}
		if _, err := kv.Get(t.Context(), key, nil); err != nil {
			return err
		}
		if _, err := kv.Get(t.Context(), key+"/none", nil); !errors.Is(err, store.ErrKeyNotFound) {
			return fmt.Errorf("get what is missing: %w", err)
		}
		if _, err := store.GetMany(t.Context(), kv, []string{key + "/none", old, key}); err != nil {
			return err
		}
		if _, err := kv.List(t.Context(), "service/", nil); err != nil {
			return err
		}
		_, err = kv.AtomicDelete(t.Context(), key, second)
		return err
	}
	try := func(user, rights string) error {
		set := []any{"acl", "setuser", user, "reset", "on", ">password"}
		for _, right := range strings.Fields(rights) {
			set = append(set, right)
		}
		if err := admin.Do(t.Context(), set...).Err(); err != nil {
			t.Fatal(err)
		}
		// A forgotten script is sent in full, which is a right too.
		if err := admin.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		if err := admin.Del(t.Context(), freshKey(t)).Err(); err != nil {
			t.Fatal(err)
		}
		client := goredis.NewClient(&goredis.Options{Addr: addr, Username: user, Password: "password"})
		defer client.Close()
		return work(newStore(t, client))
	}
	if err := try("all", servers.RedisRights); err != nil {
		t.Fatal(err)
	}
	for _, right := range strings.Fields(servers.RedisRights) {
		if right == "-@all" || strings.HasSuffix(right, "subscribe") || right == "+ping" {
			continue
		}
		without := strings.Replace(" "+servers.RedisRights+" ", " "+right+" ", " ", 1)
		if err := try("without", without); err == nil {
			t.Errorf("all works without %s", right)
		}
	}
}

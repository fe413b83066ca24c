package store_test

import (
	"context"
	"crypto/tls"
	"fmt"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// A driver reads the parts of its URL, and refuses what it does not know.
func ExampleDriver() {
	store.Register("driven", store.Driver{
		Port:    4711,
		Example: "driven://host:4711/prefix",
		Params:  []string{"poll"},
		Resolve: func(u *store.URL) (store.Target, error) {
			return store.NewTarget("host", u.Hosts[0], "prefix", u.Prefix()), nil
		},
		Open: func(context.Context, *store.URL) (store.Store, error) { return memory.New(), nil },
	})
	target, err := store.Resolve("driven://db.example.com/app")
	fmt.Println(target, err)
	_, err = store.Open(context.Background(), "driven://db.example.com/app?pool=7")
	fmt.Println("no such parameter:", err != nil)
	// Output:
	// host=db.example.com:4711 prefix=app/ <nil>
	// no such parameter: true
}

func ExampleURL() {
	store.Register("parsed", store.Driver{
		Port:    4711,
		Example: "parsed://host:4711/prefix",
		Params:  []string{"table"},
		Open: func(_ context.Context, u *store.URL) (store.Store, error) {
			fmt.Println(u.Scheme, u.User, u.Hosts, u.Path, u.Setting("table"))
			fmt.Println(u)
			return memory.New(), nil
		},
	})
	kv, err := store.Open(context.Background(), "parsed://app:secret@db1,db2:4712/app?table=seats")
	if err != nil {
		panic(err)
	}
	defer kv.Close()
	// Output:
	// parsed app [db1:4711 db2:4712] app seats
	// parsed://app:xxxxx@db1:4711,db2:4712/app?table=seats
}

// A driver makes each connection with the certificates that are valid then.
func ExampleTLS() {
	open := func(_ context.Context, u *store.URL) (store.Store, error) {
		security, err := u.TLS(store.TLSEnv{CA: "EXAMPLE_CACERT"}, false)
		if err != nil {
			return nil, err
		}
		dial := func(addr string) (*tls.Conn, error) {
			config, err := security.Config() // nil where there is no TLS
			if err != nil {
				return nil, err
			}
			return tls.Dial("tcp", addr, config)
		}
		_ = dial
		return memory.New(), nil
	}
	store.Register("secured", store.Driver{Port: 4711, Params: store.TLSParams(), Example: "secured://host", Open: open})
}

// Environment variables of the store's own tool stand in for parameters of the URL.
func ExampleTLSEnv() {
	env := store.TLSEnv{CA: "EXAMPLE_CACERT", Cert: "EXAMPLE_CERT", Key: "EXAMPLE_KEY"}
	fmt.Println(env.ServerName == "") // none for that
	// Output: true
}

// A password in a file may be replaced while the store is open.
func ExampleSecretFile() {
	open := func(_ context.Context, u *store.URL) (store.Store, error) {
		file, err := u.SecretFile("password", "EXAMPLE_PASSWORD_FILE")
		if err != nil {
			return nil, err
		}
		password := func() (string, error) { // for each connection
			if file == nil {
				return u.Password, nil
			}
			return file.Get()
		}
		_ = password
		return memory.New(), nil
	}
	store.Register("kept", store.Driver{Port: 4711, Params: []string{"password_file"}, Example: "kept://host", Open: open})
}

func ExampleNewTarget() {
	target := store.NewTarget("host", "db.example.com:5432", "database", "app", "schema", "") // empty: left out
	fmt.Println(target)
	fmt.Println(target.Value("database"))
	// Output:
	// host=db.example.com:5432 database=app
	// app
}

// Nodes that are to elect one leader compare where they would look for it.
func ExampleResolve() {
	target, err := store.Resolve("memory://example")
	fmt.Println(target, err)
	// Output: store=memory name=example <nil>
}

func ExampleTargetOf() {
	kv, err := store.Open(context.Background(), "memory://example")
	if err != nil {
		panic(err)
	}
	defer kv.Close()
	fmt.Println(store.TargetOf(kv))
	// Output: store=memory name=example
}

func ExampleTarget_Value() {
	target, err := store.Resolve("memory://example")
	if err != nil {
		panic(err)
	}
	fmt.Println(target.Value("name"))
	// Output: example
}

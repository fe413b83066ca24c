package peers

import "strings"

// Program returns the source of a program, as small as the library lets it be, that stands in
// an election and tells when it leads.
func (l *Library) Program() string {
	p := programs[l.Name]
	imports := "import (\n"
	for path := range strings.FieldsSeq(strings.ReplaceAll(p.imports, "STORE", l.Store)) {
		name, path, named := strings.Cut(path, "=")
		if !named {
			name, path = "", name
		}
		imports += "\t" + name + " \"" + path + "\"\n"
	}
	body := strings.ReplaceAll(p.body, "STORE", l.Store)
	return "package main\n\n" + imports + ")\n\nfunc main() {\n" + body + "\n}\n"
}

var programs = map[string]struct{ imports, body string }{
	Ours: {
		"context fmt github.com/seed-a1d591d3/leadership github.com/seed-a1d591d3/leadership/store _=github.com/seed-a1d591d3/leadership/store/STORE",
		`kv, err := store.Open(context.Background(), "STORE://localhost")
		if err != nil {
			panic(err)
		}
		elected, _ := leadership.NewCandidate(kv, "key", "node", 0).RunForElection(context.Background())
		for leads := range elected {
			fmt.Println(leads)
		}`,
	},
	"concurrency": {
		"context fmt clientv3=go.etcd.io/etcd/client/v3 go.etcd.io/etcd/client/v3/concurrency",
		`client, err := clientv3.New(clientv3.Config{Endpoints: []string{"localhost:2379"}})
		if err != nil {
			panic(err)
		}
		session, err := concurrency.NewSession(client)
		if err != nil {
			panic(err)
		}
		fmt.Println(concurrency.NewElection(session, "key").Campaign(context.Background(), "node"))`,
	},
	"api.Lock": {
		"fmt github.com/hashicorp/consul/api",
		`client, err := api.NewClient(api.DefaultConfig())
		if err != nil {
			panic(err)
		}
		lock, err := client.LockKey("key")
		if err != nil {
			panic(err)
		}
		fmt.Println(lock.Lock(nil))`,
	},
	"docker-leadership": {
		"fmt github.com/docker/leadership libkv=github.com/docker/libkv/store github.com/docker/libkv/store/consul",
		`client, err := consul.New([]string{"localhost:8500"}, new(libkv.Config))
		if err != nil {
			panic(err)
		}
		elected, _ := leadership.NewCandidate(client, "key", "node", 0).RunForElection()
		for leads := range elected {
			fmt.Println(leads)
		}`,
	},
	"zk.Lock": {
		"fmt time github.com/go-zookeeper/zk",
		`conn, _, err := zk.Connect([]string{"localhost"}, time.Second)
		if err != nil {
			panic(err)
		}
		fmt.Println(zk.NewLock(conn, "/key", zk.WorldACL(zk.PermAll)).Lock())`,
	},
	"redsync": {
		"fmt github.com/go-redsync/redsync/v4 github.com/go-redsync/redsync/v4/redis/goredis/v9 github.com/redis/go-redis/v9",
		`client := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
		fmt.Println(redsync.New(goredis.NewPool(client)).NewMutex("key").Lock())`,
	},
	"redislock": {
		"context fmt time github.com/bsm/redislock github.com/redis/go-redis/v9",
		`client := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
		fmt.Println(redislock.New(client).Obtain(context.Background(), "key", time.Second, nil))`,
	},
	"go-leader": {
		"fmt time github.com/heyvito/go-leader/leader github.com/redis/go-redis/v9",
		`client := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
		l, promoted, _, _ := leader.NewLeader(leader.Opts{Redis: client, TTL: time.Second, Wait: time.Second, Key: "key"})
		l.Start()
		fmt.Println(<-promoted)`,
	},
	"advisory-lock": {
		"context fmt github.com/jackc/pgx/v5",
		`conn, err := pgx.Connect(context.Background(), "postgres://localhost")
		if err != nil {
			panic(err)
		}
		fmt.Println(conn.Exec(context.Background(), "SELECT pg_advisory_lock(1)"))`,
	},
	"client-go": {
		"context fmt time metav1=k8s.io/apimachinery/pkg/apis/meta/v1 k8s.io/client-go/kubernetes k8s.io/client-go/rest k8s.io/client-go/tools/leaderelection k8s.io/client-go/tools/leaderelection/resourcelock",
		`config, err := rest.InClusterConfig()
		if err != nil {
			panic(err)
		}
		leaderelection.RunOrDie(context.Background(), leaderelection.LeaderElectionConfig{
			Lock: &resourcelock.LeaseLock{
				LeaseMeta:  metav1.ObjectMeta{Name: "key", Namespace: "default"},
				Client:     kubernetes.NewForConfigOrDie(config).CoordinationV1(),
				LockConfig: resourcelock.ResourceLockConfig{Identity: "node"},
			},
			LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(context.Context) { fmt.Println(true) },
				OnStoppedLeading: func() { fmt.Println(false) },
			},
		})`,
	},
}

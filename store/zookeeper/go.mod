module github.com/seed-a1d591d3/leadership/store/zookeeper

go 1.26.0

require (
	github.com/go-zookeeper/zk v1.0.4
	github.com/seed-a1d591d3/leadership v0.0.0
)

require (
	github.com/anishathalye/porcupine v1.3.1 // indirect
	github.com/kvtools/valkeyrie v1.0.0 // indirect
	github.com/robfig/cron/v3 v3.0.1 // indirect
	go.uber.org/goleak v1.3.0 // indirect
)

replace github.com/seed-a1d591d3/leadership => ../..

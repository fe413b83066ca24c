module github.com/seed-a1d591d3/leadership

go 1.26

require (
	github.com/go-zookeeper/zk v1.0.4 // indirect
	github.com/kvtools/valkeyrie v1.0.0 // indirect
	go.uber.org/goleak v1.3.0 // indirect
)

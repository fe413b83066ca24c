module github.com/seed-a1d591d3/leadership/store/redis

go 1.26.0

require (
	github.com/redis/go-redis/v9 v9.21.0
	github.com/seed-a1d591d3/leadership v0.0.0
)

require (
	github.com/anishathalye/porcupine v1.3.1 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/kvtools/valkeyrie v1.0.0 // indirect
	github.com/robfig/cron/v3 v3.0.1 // indirect
	go.uber.org/atomic v1.11.0 // indirect
	go.uber.org/goleak v1.3.0 // indirect
)

replace github.com/seed-a1d591d3/leadership => ../..

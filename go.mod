module github.com/seed-a1d591d3/leadership

go 1.26.0

require (
	github.com/anishathalye/porcupine v1.3.1
	github.com/kvtools/valkeyrie v1.0.0
	github.com/robfig/cron/v3 v3.0.1
	go.uber.org/goleak v1.3.0
)

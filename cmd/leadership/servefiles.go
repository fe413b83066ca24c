package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// filesPoll is how often files are checked for the log. Requests use the present files
// in any case.
const filesPoll = 5 * time.Second

// watchedFile is what is logged of files that are read again.
type watchedFile struct {
	what string
	get  func() (value any, err error) // the same value while nothing has changed

	last   any
	logged string // the error
}

// look logs what has changed, and an error once.
func (w *watchedFile) look(log *slog.Logger) {
	value, err := w.get()
	if value != w.last {
		w.last = value
		log.Info(w.what + " read again")
	}
	failure := ""
	if err != nil {
		failure = err.Error()
	}
	if failure != w.logged && err != nil {
		log.Warn("the "+w.what+" could not be read again: the former ones are still used", "error", err)
	}
	w.logged = failure
}

// watchFiles logs changes of files, and checks at once at SIGHUP, until end is called.
func watchFiles(log *slog.Logger, files ...*watchedFile) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	for _, f := range files {
		f.last, _ = f.get()
	}
	var all sync.WaitGroup
	all.Go(func() {
		defer signal.Stop(hup)
		tick := time.NewTicker(filesPoll)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-hup:
			case <-tick.C:
			}
			for _, f := range files {
				f.look(log)
			}
		}
	})
	return func() { cancel(); all.Wait() }
}

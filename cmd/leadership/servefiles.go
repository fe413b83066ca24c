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

// filesPoll is how often files are looked at for the log. They are used as they are,
// however often that is.
const filesPoll = 5 * time.Second

// watchedFile is what is told of files that are read again.
type watchedFile struct {
	what string
	get  func() (value any, err error) // the same value while nothing has changed

	last any
	said string // the error that was logged
}

// look logs what has changed, and an error once.
func (w *watchedFile) look(log *slog.Logger) {
	value, err := w.get()
	if value != w.last {
		w.last = value
		log.Info(w.what + " read again")
	}
	said := ""
	if err != nil {
		said = err.Error()
	}
	if said != w.said && err != nil {
		log.Warn("the "+w.what+" could not be read again: those before are still used", "error", err)
	}
	w.said = said
}

// watchFiles logs what becomes of files, and looks at once at SIGHUP, until end is
// called.
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

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/reread"
	"github.com/seed-a1d591d3/leadership/store"
)

// defaultListen is where serve and demo listen.
const defaultListen = "127.0.0.1:8080"

// checkListen returns an error of usage unless the value of --listen is host:port.
func checkListen(address string) error {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return usage("--listen is %q: must be host:port, such as %s", address, defaultListen)
	}
	return nil
}

// service is one call of leadership serve.
type service struct {
	*program
	listen    string
	tokens    tokenFiles
	tls       tlsFiles
	retention time.Duration
	systems   []string
	observe   string
	blind     bool
	node      string
	timeout   time.Duration
	drain     time.Duration
	json      bool
}

func (p *program) serveCommand() *cobra.Command {
	s := &service{program: p}
	cmd := &cobra.Command{
		Use:   "serve [--listen ADDRESS]",
		Short: "Serve elections and rounds over HTTP, and a page that shows them",
		Long: `Serve lets programs in any language elect leaders and winners of rounds over HTTP.
It keeps nothing that has to last: run as many servers as you like on one store,
behind any load balancer.

It listens on the loopback interface unless --listen is set. Anyone who reaches it may
use it, unless there are tokens or client certificates:

  --read-token-file, LEADERSHIP_READ_TOKEN     for reading
  --write-token-file, LEADERSHIP_WRITE_TOKEN   for reading, claims, rounds and requests

A file has one token a line, of 16 bytes at least. Clients send "Authorization:
Bearer TOKEN". /alive and the health of a leader need none. With --tls-client-ca every
client needs a certificate of that authority. All these files are read again when they
have changed: the next request needs one of the new tokens, and the next connection has
the new certificates. While a file cannot be read, or has no token in it, the former
ones are used, and that is logged, within 5 seconds or at SIGHUP.

The page at / shows all elections of the store, or those whose keys begin with
--observe: set that, or a prefix in the URL of the store, if the store holds much else.

It prints to stdout, in one line, where it listens, and errors to stderr; more with
--verbose. At SIGINT and SIGTERM it ends long polls and streams, serves the requests
that are under way, for at most --drain, and exits 0. At the second signal it ends at
once.`,
		Example: `  leadership serve
  leadership serve --listen 127.0.0.1:0 --json
  leadership serve --listen :8443 --store redis://10.0.0.5 --retention 720h \
    --write-token-file /run/secrets/token --tls-cert tls.crt --tls-key tls.key`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return withCode(s.run(cmd.Context()), exitFailure) },
	}
	flags := cmd.Flags()
	flags.StringVar(&s.listen, "listen", defaultListen, "host:port to listen on; port 0 for any free one")
	s.tokens.flags(flags)
	s.tls.flags(flags)
	flags.DurationVar(&s.retention, "retention", 0, "delete rounds that were won longer ago than this, 1m at least; 0 keeps them")
	flags.StringSliceVar(&s.systems, "retention-system", nil, "a system whose rounds are deleted though this server is not asked for them")
	flags.StringVar(&s.observe, "observe", "", "show on the page the elections whose keys begin with this (default all)")
	flags.BoolVar(&s.blind, "no-observe", false, "show none on the page, and so never list the store for it")
	cmd.MarkFlagsMutuallyExclusive("observe", "no-observe")
	flags.StringVar(&s.node, "node", "", "the node for requests of /api/v1/elections/KEY/leader that name none")
	flags.DurationVar(&s.timeout, "timeout", httpapi.DefaultTimeout, "how long a request waits for the store")
	flags.DurationVar(&s.drain, "drain", 10*time.Second, "how long to wait at the end for requests that are under way")
	s.localFlag(flags)
	jsonFlag(cmd, &s.json)
	cmd.Flags().Lookup("json").Usage = "print where it listens, and log, as JSON"
	return cmd
}

// run serves until ctx ends, or a signal comes.
func (s *service) run(ctx context.Context) error {
	switch {
	case s.timeout <= 0:
		return usage("--timeout is %v: must be above 0", s.timeout)
	case s.drain <= 0:
		return usage("--drain is %v: must be above 0", s.drain)
	case len(s.systems) > 0 && s.retention == 0:
		return usage("--retention-system is of no use without --retention")
	}
	if err := checkListen(s.listen); err != nil {
		return err
	}
	log := s.logger()
	if s.json {
		log = slog.New(slog.NewJSONHandler(s.stderr, &slog.HandlerOptions{Level: s.level()}))
	}
	tokens, err := s.tokens.load(s.program)
	if err != nil {
		return err
	}
	certificates, err := s.tls.load()
	if err != nil {
		return err
	}
	files := []*watchedFile{
		{what: "read tokens", get: func() (any, error) { return tokens.read.Get() }},
		{what: "write tokens", get: func() (any, error) { return tokens.write.Get() }},
	}
	if certificates != nil {
		files = append(files, &watchedFile{what: "certificates", get: func() (any, error) { return certificates.Get() }})
	}
	defer watchFiles(log, files...)()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	opts := []httpapi.Option{
		httpapi.WithTimeout(s.timeout),
		httpapi.WithRetention(s.retention, s.systems...), httpapi.WithNode(s.node), httpapi.WithLogger(log),
	}
	if !tokens.none() {
		opts = append(opts, httpapi.WithTokenSource(tokens.now))
	}
	if !s.blind {
		opts = append(opts, httpapi.WithObserved(s.observe))
	}
	slog.SetDefault(log) // where stores warn
	kv, name, err := s.openNamedStore(ctx)
	if err != nil && ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	defer kv.Close()
	if _, address, err := s.anyStore(); err == nil {
		opts = append(opts, httpapi.WithStoreURL(address))
	}
	if hint := s.localHint(name); hint != "" && s.json {
		log.Warn(hint)
	} else {
		s.warnOfLocal(name)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	web, err := newWeb(kv, listener, certificates, log, opts)
	if err != nil {
		listener.Close()
		return err
	}
	if !web.local() && tokens.none() && s.tls.clientCA == "" {
		log.Warn("anyone who reaches this address may depose leaders: set tokens or client certificates, or listen on "+defaultListen,
			"address", listener.Addr().String())
	}
	if err := s.announce(web.url(), name); err != nil {
		return errors.Join(err, web.end(time.Second))
	}
	log.Info("serving", "url", web.url(), "store", name)
	select {
	case <-ctx.Done():
		stop() // a second signal ends the process
		log.Info("ending")
		return web.end(s.drain)
	case err := <-web.failed:
		return errors.Join(err, web.end(time.Second))
	}
}

// announce prints where it serves.
func (s *service) announce(url, store string) error {
	if s.json {
		return s.printJSON(struct {
			URL   string `json:"url"`
			Store string `json:"store"`
		}{url, store})
	}
	_, err := fmt.Fprintf(s.stdout, "serving %s on %s\n", store, url)
	return err
}

// web is a handler that listens.
type web struct {
	api      *httpapi.Handler
	server   *http.Server
	listener net.Listener
	secure   bool
	serving  sync.WaitGroup
	failed   chan error // gets the reason when it does not listen any more
}

// newWeb serves kv on a listener, which it then owns, with TLS if there are
// certificates. End it with end.
func newWeb(kv store.Store, listener net.Listener, certificates *reread.Files[*tls.Config], log *slog.Logger, opts []httpapi.Option) (*web, error) {
	v := versionOf()
	api, err := httpapi.New(kv, append(opts, httpapi.WithVersion(v.Version, v.Revision))...)
	if err != nil {
		return nil, err
	}
	w := &web{api: api, listener: listener, secure: certificates != nil, failed: make(chan error, 1)}
	w.server = httpapi.NewServer("", api)
	w.server.ErrorLog = stdlog.New(serverLog{log}, "", 0)
	serve := w.server.Serve
	if w.secure {
		w.server.TLSConfig = eachConnection(certificates)
		serve = func(l net.Listener) error { return w.server.ServeTLS(l, "", "") }
	}
	w.serving.Go(func() { w.failed <- fmt.Errorf("serve: %w", serve(listener)) })
	return w, nil
}

// end ends it, and waits for requests under way, for at most patience. It must be
// called once.
func (w *web) end(patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	closed := make(chan error, 1)
	go func() { closed <- w.api.Close() }()
	err := w.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("requests were cut off after %s: %w", clock.Text(patience), err), w.server.Close())
	}
	w.serving.Wait()
	return errors.Join(err, <-closed)
}

// serverLog is the log of a http.Server.
type serverLog struct{ log *slog.Logger }

func (l serverLog) Write(b []byte) (int, error) {
	level, text := slog.LevelWarn, strings.TrimSpace(string(b))
	if strings.Contains(text, "TLS handshake error") {
		level = slog.LevelInfo // the fault of a client, or a probe that only connects
	}
	l.log.Log(context.Background(), level, text)
	return len(b), nil
}

// local reports whether only this machine can reach it.
func (w *web) local() bool {
	addr, ok := w.listener.Addr().(*net.TCPAddr)
	return ok && addr.IP.IsLoopback()
}

// url returns its URL for this machine.
func (w *web) url() string {
	scheme := "http"
	if w.secure {
		scheme = "https"
	}
	host, port, _ := net.SplitHostPort(w.listener.Addr().String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = hostName()
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"
)

func (p *program) aliveCommand() *cobra.Command {
	var timeout time.Duration
	var files clientTLS
	cmd := &cobra.Command{
		Use:   "alive [URL]",
		Short: "Check that a server is alive, for the health check of a container",
		Long: `Alive gets /alive from the server at a URL, http://127.0.0.1:8080 by default. It
exits 0 if the answer is 200, and 1 otherwise. It is for images without a shell and
curl. A URL with a path is used as it is, such as that of the health of a leader, which
answers 200 if the node leads.`,
		Example: `  leadership alive
  leadership alive https://127.0.0.1:8443 --tls-ca ca.crt
  leadership alive 'http://127.0.0.1:8080/api/v1/elections/service%2Fleader/leader?node=a'`,
		Args: atMostOne,
		RunE: does(func(ctx context.Context, args []string) error {
			address := "http://" + defaultListen
			if len(args) > 0 {
				address = args[0]
			}
			u, err := url.Parse(address)
			if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
				return usage("%q is not a URL such as http://%s", address, defaultListen)
			}
			if u.Path == "" || u.Path == "/" {
				u.Path = "/alive"
			}
			if timeout <= 0 {
				return usage("--timeout is %v: must be above 0", timeout)
			}
			if u.Scheme == "http" && files != (clientTLS{}) {
				return usage("--tls-ca, --tls-cert and --tls-key are of no use for %s, which begins with http://", u.Redacted())
			}
			config, err := files.load()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			return alive(ctx, u, config)
		}),
	}
	cmd.Flags().DurationVar(&timeout, "timeout", 3*time.Second, "how long to wait for the answer")
	files.flags(cmd)
	return cmd
}

// alive returns nil if the answer is 200, and exit code 1 otherwise.
func alive(ctx context.Context, u *url.URL, config *tls.Config) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return usage("%w", err)
	}
	transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
	response, err := transport.RoundTrip(request) // no redirection
	if err != nil {
		return &exitError{exitNo, fmt.Errorf("get %s: %w", u.Redacted(), err)}
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return &exitError{exitNo, fmt.Errorf("get %s: %s", u.Redacted(), response.Status)}
	}
	return nil
}

// clientTLS are the files of a client's certificates.
type clientTLS struct{ ca, cert, key string }

func (t *clientTLS) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&t.ca, "tls-ca", "", "file with the authorities that may have signed the server's certificate (default those of the system)")
	flags.StringVar(&t.cert, "tls-cert", "", "file with the certificate to show to the server")
	flags.StringVar(&t.key, "tls-key", "", "file with its key")
	cmd.MarkFlagsRequiredTogether("tls-cert", "tls-key")
}

// load returns the TLS configuration of the client.
func (t *clientTLS) load() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.ca != "" {
		content, err := os.ReadFile(t.ca)
		if err == nil {
			config.RootCAs, err = authorities(t.ca, content)
		}
		if err != nil {
			return nil, usage("--tls-ca: %w", err)
		}
	}
	if t.cert != "" {
		pair, err := tls.LoadX509KeyPair(t.cert, t.key)
		if err != nil {
			return nil, usage("--tls-cert, --tls-key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

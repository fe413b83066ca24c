package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/seed-a1d591d3/leadership/httpapi"
)

// tokenFiles are where bearer tokens are read from: never from the command line,
// which all users of the machine can read.
type tokenFiles struct {
	readers, writers []string
}

func (t *tokenFiles) flags(flags *pflag.FlagSet) {
	flags.StringArrayVar(&t.readers, "read-token-file", nil, "file with tokens of those who may look, a token a line")
	flags.StringArrayVar(&t.writers, "write-token-file", nil, "file with tokens of those who may look and change things, a token a line")
}

// read returns the tokens of both roles, with those of the environment. A file
// or variable without a token is an error: it would leave the service open to
// all.
func (t *tokenFiles) read(p *program) (readers, writers []string, err error) {
	if readers, err = tokensOf(p, "--read-token-file", t.readers, "LEADERSHIP_READ_TOKEN"); err != nil {
		return nil, nil, err
	}
	writers, err = tokensOf(p, "--write-token-file", t.writers, "LEADERSHIP_WRITE_TOKEN")
	return readers, writers, err
}

func tokensOf(p *program, flag string, files []string, variable string) ([]string, error) {
	var all []string
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", flag, err)
		}
		found, err := splitTokens(string(content))
		if err != nil {
			return nil, usage("%s: %s: %w", flag, file, err)
		}
		all = append(all, found...)
	}
	if value, ok := p.lookupEnv(variable); ok {
		found, err := splitTokens(value)
		if err != nil {
			return nil, usage("%s: %w", variable, err)
		}
		all = append(all, found...)
	}
	return all, nil
}

// splitTokens returns the tokens in a text, one a line. Its errors show none.
func splitTokens(text string) ([]string, error) {
	var all []string
	n := 0
	for line := range strings.Lines(text) {
		n++
		token := strings.TrimSpace(line)
		switch {
		case token == "":
			continue
		case strings.ContainsAny(token, " \t"):
			return nil, fmt.Errorf("line %d has a space in it: a token has none", n)
		case len(token) < httpapi.MinToken:
			return nil, fmt.Errorf("line %d is a token of %d bytes: must have at least %d", n, len(token), httpapi.MinToken)
		}
		all = append(all, token)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no token in it")
	}
	return all, nil
}

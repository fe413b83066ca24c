package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/internal/reread"
)

// tokenFiles are where bearer tokens are read from: never from the command line,
// which all users of the machine can read.
type tokenFiles struct {
	readers, writers []string
}

func (t *tokenFiles) flags(flags *pflag.FlagSet) {
	flags.StringArrayVar(&t.readers, "read-token-file", nil, "file with tokens for reading, one a line")
	flags.StringArrayVar(&t.writers, "write-token-file", nil, "file with tokens for reading and writing, one a line")
}

// tokens are those of both roles, from the present content of the files, or the last
// that could be read.
type tokens struct{ read, write *reread.Files[*tokenList] }

// tokenList is what the files of one role hold.
type tokenList struct{ all []string }

// load reads the tokens of both roles, with those of the environment. A file or
// variable without a token is an error: it would leave the service open to all.
func (t *tokenFiles) load(p *program) (tokens, error) {
	read, err := tokensOf(p, "--read-token-file", t.readers, "LEADERSHIP_READ_TOKEN")
	if err != nil {
		return tokens{}, err
	}
	write, err := tokensOf(p, "--write-token-file", t.writers, "LEADERSHIP_WRITE_TOKEN")
	return tokens{read, write}, err
}

// none reports whether there are no tokens: then none is asked for.
func (t tokens) none() bool {
	read, write := t.now()
	return len(read)+len(write) == 0
}

// now returns the tokens of both roles.
func (t tokens) now() (read, write []string) {
	readers, _ := t.read.Get()  // errors after the
	writers, _ := t.write.Get() // start are logged
	return readers.all, writers.all
}

func tokensOf(p *program, flag string, files []string, variable string) (*reread.Files[*tokenList], error) {
	var given []string
	if value, ok := p.lookupEnv(variable); ok {
		var err error
		if given, err = splitTokens(value); err != nil {
			return nil, usage("%s: %w", variable, err)
		}
	}
	if slices.Contains(files, "") {
		return nil, usage("%s names no file", flag)
	}
	all := reread.New(func(contents [][]byte) (*tokenList, error) {
		list := &tokenList{slices.Clone(given)}
		for i, content := range contents {
			found, err := splitTokens(string(content))
			if err != nil {
				return nil, usage("%s: %w", files[i], err)
			}
			list.all = append(list.all, found...)
		}
		return list, nil
	}, files...)
	if _, err := all.Get(); err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return all, nil
}

// splitTokens returns the tokens in a text, one a line. Its errors show no tokens.
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
			return nil, fmt.Errorf("line %d has a space in it: a token must not", n)
		case len(token) < httpapi.MinToken:
			return nil, fmt.Errorf("line %d is a token of %d bytes: must have at least %d", n, len(token), httpapi.MinToken)
		}
		all = append(all, token)
	}
	if len(all) == 0 {
		return nil, errors.New("there is no token in it")
	}
	return all, nil
}

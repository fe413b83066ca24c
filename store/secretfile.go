package store

import (
	"fmt"
	"os"
	"strings"

	"github.com/seed-a1d591d3/leadership/internal/reread"
)

// SecretFile is a file that holds a password or a token, which may be replaced while a
// store is open. Safe for concurrent use.
type SecretFile struct {
	file *reread.Files[string]
}

// Get returns the present content of the file, without white space around it. If the file
// cannot be read, or is empty, Get returns the content before, and the error.
func (f *SecretFile) Get() (string, error) { return f.file.Get() }

// SecretFile returns the file with the secret of that name, such as "password". The
// parameter name_file names the file, or else the environment variable env, if env is not
// "". It returns nil if neither is set, or if the URL has the secret itself and only the
// environment names a file. It returns an error if the URL has both, or the file cannot
// be read.
func (u *URL) SecretFile(name, env string) (*SecretFile, error) {
	path, from := u.setting(name+"_file", names(env)...)
	if path == "" {
		return nil, nil //nolint:nilnil // No file is no error.
	}
	if u.Has(name) || name == "password" && u.Password != "" {
		if u.Has(name + "_file") {
			return nil, fmt.Errorf("%s and the %s itself are set: use one of them", from, name)
		}
		return nil, nil //nolint:nilnil // No file is no error.
	}
	f := &SecretFile{reread.New(func(contents [][]byte) (string, error) {
		secret := strings.TrimSpace(string(contents[0]))
		if secret == "" {
			return "", &os.PathError{Op: "read", Path: path, Err: fmt.Errorf("there is no %s in it", name)}
		}
		return secret, nil
	}, path)}
	secret, err := f.Get()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	u.Hide(secret)
	return f, nil
}

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

// Get returns what the file holds now, without blanks around it. Where it cannot be read,
// or is empty, it returns what it held before, and the error.
func (f *SecretFile) Get() (string, error) { return f.file.Get() }

// SecretFile returns the file that holds the secret name, such as "password": it is named
// by the parameter name_file, or else by the environment variable env, if that is not "".
// It returns nil if neither is set, or the URL has the secret itself and the file is the
// environment's; with both in the URL, and for a file that cannot be read, an error.
func (u *URL) SecretFile(name, env string) (*SecretFile, error) {
	path, from := u.setting(name+"_file", names(env)...)
	if path == "" {
		return nil, nil //nolint:nilnil // No file is no error.
	}
	if u.Has(name) || name == "password" && u.Password != "" {
		if u.Has(name + "_file") {
			return nil, fmt.Errorf("%s is set beside the %s itself: use either", from, name)
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

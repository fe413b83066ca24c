package stage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
)

// bench is what package servers takes for a test: what it starts belongs to it. What a
// test would fail for panics with a failure, see Try.
type bench struct {
	testing.TB // nil: none of the methods that are not here is called

	name   string
	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex
	cleanups []func()
	problems []string
}

func newBench(name string) *bench {
	b := &bench{name: name}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b
}

// failure is an error that a method of package servers has ended with.
type failure struct{ error }

// Try calls do, and returns the error for which a server could not do what it was told to.
func Try(do func()) (err error) {
	defer func() {
		switch f := recover().(type) {
		case nil:
		case failure:
			err = f.error
		default:
			panic(f)
		}
	}()
	do()
	return nil
}

// Fail has the Try in which it is called return an error.
func Fail(err error) { panic(failure{err}) }

func (b *bench) Helper()                           {}
func (b *bench) Name() string                      { return b.name }
func (b *bench) Context() context.Context          { return b.ctx }
func (b *bench) Logf(format string, args ...any)   { b.note(fmt.Sprintf(format, args...)) }
func (b *bench) Errorf(format string, args ...any) { b.note(fmt.Sprintf(format, args...)) }
func (b *bench) Fatal(args ...any)                 { panic(failure{fmt.Errorf("%s: %s", b.name, fmt.Sprint(args...))}) }
func (b *bench) Fatalf(format string, args ...any) { b.Fatal(fmt.Sprintf(format, args...)) }
func (b *bench) Skipf(format string, args ...any)  { b.Fatal(fmt.Sprintf(format, args...)) }

func (b *bench) note(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = append(b.problems, text)
}

func (b *bench) notes() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	notes := b.problems
	b.problems = nil
	return notes
}

func (b *bench) Cleanup(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cleanups = append(b.cleanups, f)
}

func (b *bench) TempDir() string {
	dir, err := os.MkdirTemp("", "leadership-faults-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// end ends all that belongs to the bench, last things first.
func (b *bench) end() error {
	b.cancel()
	b.mu.Lock()
	cleanups := b.cleanups
	b.cleanups = nil
	b.mu.Unlock()
	var errs []error
	for _, f := range slices.Backward(cleanups) {
		errs = append(errs, Try(f))
	}
	return errors.Join(errs...)
}

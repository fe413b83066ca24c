// Package goroutines counts those goroutines that a test means: what else goes on in the
// process, such as finalizers and what other tests have left, is none of its business.
package goroutines

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"regexp"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync/atomic"
)

var bubble = regexp.MustCompile(`^goroutine \d+ \[.*(synctest bubble \d+)`)

// InBubble returns how many goroutines are in the testing/synctest bubble of the
// caller, who is one of them; 0 outside of any bubble.
func InBubble() int {
	stacks := make([]byte, 1<<16)
	mine := bubble.FindSubmatch(stacks[:runtime.Stack(stacks, false)])
	if mine == nil {
		return 0
	}
	count := 0
	for stack := range all() {
		if m := bubble.FindSubmatch(stack); m != nil && bytes.Equal(m[1], mine[1]) {
			count++
		}
	}
	return count
}

// all returns the stacks of all goroutines.
func all() iter.Seq[[]byte] {
	stacks := make([]byte, 1<<20)
	n := runtime.Stack(stacks, true)
	for n == len(stacks) {
		stacks = make([]byte, 2*len(stacks))
		n = runtime.Stack(stacks, true)
	}
	return bytes.SplitSeq(stacks[:n], []byte("\n\n"))
}

// CreatedBy returns how many goroutines there are, in the whole process, that the function
// of that name has started, and their stacks.
func CreatedBy(function string) (count int, stacks []byte) {
	by := []byte("\ncreated by " + function + " ")
	for stack := range all() {
		if bytes.Contains(stack, by) {
			count++
			stacks = append(append(stacks, stack...), "\n\n"...)
		}
	}
	return count, stacks
}

const label = "goroutines.Of"

var last atomic.Uint64

// Of calls f with a function that returns how many goroutines f has started that have
// not ended, and those that they have started, and so on; but not what timers start.
// The caller is none of them. Within f, Of must not be called again.
func Of(f func(count func() int)) {
	id := fmt.Sprint(last.Add(1))
	pprof.Do(context.Background(), pprof.Labels(label, id), func(context.Context) {
		f(func() int { return labelled(fmt.Sprintf("%q:%q", label, id)) - 1 })
	})
}

var group = regexp.MustCompile(`^(\d+) @`)

// labelled counts the goroutines that have a label.
func labelled(text string) int {
	var profile strings.Builder
	_ = pprof.Lookup("goroutine").WriteTo(&profile, 1)
	count, of := 0, 0
	for line := range strings.Lines(profile.String()) {
		if m := group.FindStringSubmatch(line); m != nil {
			of, _ = strconv.Atoi(m[1])
		}
		if strings.HasPrefix(line, "# labels: ") && strings.Contains(line, text) {
			count += of
		}
	}
	return count
}

// Package goroutines counts those goroutines that a test means: what else goes on in the
// process, such as finalizers and what other tests have left, is none of its business.
package goroutines

import (
	"bytes"
	"context"
	"fmt"
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
	n := runtime.Stack(stacks, true)
	for n == len(stacks) {
		stacks = make([]byte, 2*len(stacks))
		n = runtime.Stack(stacks, true)
	}
	count := 0
	for stack := range bytes.SplitSeq(stacks[:n], []byte("\n\n")) {
		if m := bubble.FindSubmatch(stack); m != nil && bytes.Equal(m[1], mine[1]) {
			count++
		}
	}
	return count
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

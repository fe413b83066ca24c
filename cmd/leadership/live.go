package main

import (
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"golang.org/x/term"
)

// liveLine is a last line of a terminal that is written again and again. It is only
// shown where it fits: a line that wraps cannot be taken back. Elsewhere its methods do
// nothing.
type liveLine struct {
	to    *os.File // nil unless it is a terminal
	shown bool
}

func newLiveLine(p *program, off bool) liveLine {
	f, ok := p.stdout.(*os.File)
	if off || !ok || !isTerminal(f) || p.env("TERM") == "dumb" {
		return liveLine{}
	}
	return liveLine{to: f}
}

// show writes the line, if the terminal is wide enough now; an empty one is none.
func (l *liveLine) show(line string) {
	if l.to == nil {
		return
	}
	width, _, err := term.GetSize(int(l.to.Fd()))
	if l.clear(); err == nil && line != "" && utf8.RuneCountInString(line) < width {
		_, err = fmt.Fprint(l.to, line)
		l.shown = err == nil
	}
}

// clear takes the line back, for another to be printed.
func (l *liveLine) clear() {
	if l.shown {
		l.shown = false
		_, _ = io.WriteString(l.to, "\r\x1b[K") // the next line has the error
	}
}

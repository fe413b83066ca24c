package main

import (
	"fmt"
	"time"
)

// open prints what to look at.
func (d *demo) open(url string) {
	if d.json {
		d.say("serving", "", 0, "open the page", url)
		return
	}
	fmt.Fprintf(d.stdout, `
  Three candidates stand for %q: anna, ben and cleo.
  One of them leads at a time. Open the page, and ask the leader to resign:

      %s

  Ctrl-C ends it.

`, demoKey, d.emphasis("1;36", url))
}

func (d *demo) close() {
	if d.json {
		d.say("ended", "", 0, "all candidates have ended")
		return
	}
	fmt.Fprintf(d.stdout, "\n  All candidates have ended, and the seat is vacant.\n")
}

// say prints a line about a node.
func (d *demo) say(event, node string, token uint64, text string, url ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.json {
		line := demoLine{Time: time.Now(), Event: event, Node: node, Token: token, Text: text}
		if len(url) > 0 {
			line.URL = url[0]
		}
		_ = d.printJSON(line) // if it fails there is no reader any more
		return
	}
	name := fmt.Sprintf("%-4s", node)
	if event == "leader" {
		name = d.emphasis("1;32", name)
	}
	fmt.Fprintf(d.stdout, "  %6.1fs  %s  %s\n", time.Since(d.began).Seconds(), name, text)
}

// emphasis highlights a text on a terminal.
func (d *demo) emphasis(code, text string) string {
	if !isTerminal(d.stdout) || d.env("NO_COLOR") != "" || d.env("TERM") == "dumb" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

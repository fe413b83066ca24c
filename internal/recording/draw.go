package main

import (
	"fmt"
	"html"
	"strings"
)

const (
	width, rowHeight = 1080, 19 // units of the drawing; a character is 7.2 wide
	rest             = 4        // seconds for which the last line stands, before it begins again
)

var colours = map[string]string{"anna": "#8fb8ff", "ben": "#ffb86b", "carol": "#9bd59b", "": "#ff7b72"}

// draw returns the drawing, which shows the lines as they came, again and again; where
// animations are not wanted it shows all.
func draw(lines []line) string {
	total := lines[len(lines)-1].at.Seconds() + rest
	height := (len(lines) + 2) * rowHeight
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="Three terminals: anna leads and is killed, ben takes over, and resigns">
<style>
text { font: 12px ui-monospace, Menlo, Consolas, monospace; white-space: pre }
@media (prefers-reduced-motion: no-preference) { .l { opacity: 0; animation: %gs step-end infinite } }
`, width, height, total)
	for i, l := range lines {
		from := 100 * l.at.Seconds() / total
		fmt.Fprintf(&b, "@keyframes k%d { 0%% { opacity: 0 } %.2f%%, 100%% { opacity: 1 } } .k%d { animation-name: k%d }\n", i, from, i, i)
	}
	fmt.Fprintf(&b, "</style>\n<rect width=\"%d\" height=\"%d\" rx=\"8\" fill=\"#161b22\"/>\n", width, height)
	for i, l := range lines {
		y := (i + 2) * rowHeight
		fmt.Fprintf(&b, `<g class="l k%d"><text x="14" y="%d" fill="#8b949e">%5.1fs</text><text x="72" y="%d" fill="%s">%-5s  %s</text></g>`+"\n",
			i, y, l.at.Seconds(), y, colours[l.who], l.who, html.EscapeString(l.text))
	}
	return b.String() + "</svg>\n"
}

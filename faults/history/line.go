package history

import (
	"bytes"
	"fmt"
	"net/url"
	"strconv"
)

// Kind is what a line tells of.
type Kind string

// The kinds of lines, with what their What and Answer are.
const (
	// Ask is a question that a candidate was asked: What is one of the questions,
	// Answer Yes or No. Token is that of the term that the answer is about, 0 where the
	// question does not tell it.
	Ask Kind = "ask"

	// Left is a yes that also tells for how long: What is that duration, by the machine's
	// clock, as time.ParseDuration takes it. Answer is Yes or No.
	Left Kind = "left"

	// Stream is a value that was received from a channel of RunForElection: Answer is Yes
	// for true, No for false, Ended when the channel was closed. What is the stream's number
	// in its process.
	Stream Kind = "stream"

	// Follow is what a follower has told: What is the leader, "-" for nobody, Token that of
	// the term.
	Follow Kind = "follow"

	// Work is a call of Run's work: Answer is Begun or Ended, Token that of its term.
	// Ended is the last that the work does before it returns.
	Work Kind = "work"

	// Resign is a call of Resign, from whose return on the candidate does not lead.
	Resign Kind = "resign"

	// Write is a write under Token to the resource What, Fenced or Unfenced: Answer is
	// Accepted, Refused, or Unknown if no reply came. A resource logs it too, as it
	// was carried out, one write after another.
	Write Kind = "write"

	// Round is an attempt at the round What: Answer is Won, Lost, or Unknown.
	Round Kind = "round"

	// Vitals is a count of what a process has: What is Goroutines or Descriptors, Token how
	// many. Answer is Begun before the candidate was made, Running, or Ended after all
	// has been closed.
	Vitals Kind = "vitals"

	// Sound is an interval, from Before to After, in which the process on node What ran,
	// reached the store, and the store could answer. The runner writes it: to all that the
	// line says, no fault may have been under way, nor one before still have an effect other
	// than on the election itself. "*" is every node that runs.
	Sound Kind = "sound"

	// Fault is an interval in which a fault was under way: What is the fault, Answer whom
	// it struck.
	Fault Kind = "fault"

	// Error is an error that was reported: What is its text.
	Error Kind = "error"
)

// Questions, of a line of kind Ask.
const (
	IsLeader = "IsLeader" // Candidate.IsLeader; it tells no token
	Term     = "Term"     // Candidate.Term
	Err      = "Err"      // Err of the context of work: yes is nil
	Done     = "Done"     // Done of the context of work: yes is open
	Runs     = "Runs"     // a command of `leadership run` finds that it runs
)

// Resources, of a line of kind Write.
const (
	Fenced   = "fenced"
	Unfenced = "unfenced"
)

// What is counted, of a line of kind Vitals.
const (
	Goroutines  = "goroutines"
	Descriptors = "descriptors"
)

// Answers.
const (
	Yes      = "yes"
	No       = "no"
	Begun    = "begun"
	Running  = "running"
	Ended    = "ended"
	Accepted = "accepted"
	Refused  = "refused"
	Unknown  = "unknown"
	Won      = "won"
	Lost     = "lost"
)

// Line is one thing that a process has witnessed.
type Line struct {
	Kind          Kind
	Before, After Stamp
	What, Answer  string
	Token         uint64
}

// Append appends the line as it is written, with its end.
func (l Line) Append(b []byte) []byte {
	b = append(append(b, l.Kind...), ' ')
	b = append(strconv.AppendInt(b, int64(l.Before), 10), ' ')
	b = append(strconv.AppendInt(b, int64(l.After), 10), ' ')
	b = append(appendWord(b, l.What), ' ')
	b = append(appendWord(b, l.Answer), ' ')
	return append(strconv.AppendUint(b, l.Token, 10), '\n')
}

// String returns the line as it is written, without its end.
func (l Line) String() string { return string(bytes.TrimSuffix(l.Append(nil), []byte("\n"))) }

// appendWord appends a text as one word: "-" stands for the empty one.
func appendWord(b []byte, text string) []byte {
	switch text {
	case "":
		return append(b, '-')
	case "-":
		return append(b, "%2D"...)
	}
	return append(b, url.PathEscape(text)...)
}

// parser reads lines. It keeps one copy of each word, as most come again and again.
type parser struct{ words map[string]string }

// line reads a line, without its end.
func (p *parser) line(text []byte) (Line, error) {
	var words [6][]byte
	rest := text
	for i := range words {
		var more bool
		if words[i], rest, more = bytes.Cut(rest, []byte(" ")); len(words[i]) == 0 || more != (i < len(words)-1) {
			return Line{}, fmt.Errorf("history: %.200q has not the six words of a line", text)
		}
	}
	before, err1 := strconv.ParseInt(string(words[1]), 10, 64)
	after, err2 := strconv.ParseInt(string(words[2]), 10, 64)
	token, err3 := strconv.ParseUint(string(words[5]), 10, 64)
	for _, err := range []error{err1, err2, err3} {
		if err != nil {
			return Line{}, fmt.Errorf("history: %w", err)
		}
	}
	if before > after {
		return Line{}, fmt.Errorf("history: a line begins at %d and ends before that, at %d", before, after)
	}
	what, err := p.word(words[3])
	if err != nil {
		return Line{}, err
	}
	answer, err := p.word(words[4])
	if err != nil {
		return Line{}, err
	}
	kind, err := p.word(words[0])
	return Line{Kind(kind), Stamp(before), Stamp(after), what, answer, token}, err
}

// word reads what appendWord has written.
func (p *parser) word(b []byte) (string, error) {
	if s, ok := p.words[string(b)]; ok {
		return s, nil
	}
	raw := string(b)
	s := raw
	if raw == "-" {
		s = ""
	} else if bytes.IndexByte(b, '%') >= 0 {
		var err error
		if s, err = url.PathUnescape(raw); err != nil {
			return "", fmt.Errorf("history: %w", err)
		}
	}
	if p.words == nil {
		p.words = make(map[string]string)
	}
	if len(p.words) < 10_000 {
		p.words[raw] = s
	}
	return s, nil
}

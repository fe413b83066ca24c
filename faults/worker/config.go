// Package worker is a process that stands in an election, asks all day long whether it
// leads, and logs what it is told.
package worker

import (
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/faults/history"
)

// The modes in which a worker campaigns.
const (
	Run            = "run"             // Candidate.Run, which has a context of work
	RunForElection = "runForElection"  // Candidate.RunForElection, which has a stream
	Follow         = history.Following // a Follower, no candidate
	Command        = "command"         // what `leadership run` runs: it has no candidate of its own
)

// Config is what a worker is told on its command line.
type Config struct {
	Mode  string
	Store string // URL; a command has none
	Key   string // a command has it from LEADERSHIP_KEY
	Node  string // a command has it from LEADERSHIP_NODE

	// Incarnation tells processes of the same node apart.
	Incarnation int

	TTL   time.Duration
	Grace time.Duration

	// Log is the file that the worker logs to, a name that ends in .log. A command, which is
	// started once for each term, puts its process id before the ending.
	Log string

	// Resource is the address, host:port, of the resources that the leader writes to; ""
	// for none.
	Resource string

	// Every is how long a leader waits between two rounds of questions, and Writes how
	// many rounds there are for each pair of writes.
	Every  time.Duration
	Writes int

	// Clock has the candidate use a clock of the worker's, in place of the machine's: one
	// of that Rate, 1.1 for 10 % fast, whose wall clock can be set.
	Clock bool
	Rate  float64

	// Wind is how long the work of Run goes on after its context has ended.
	Wind time.Duration

	// Rounds has the worker attempt that many rounds a second, beside the election: one
	// after another, with names that all workers know.
	Rounds int

	// Rides has the terms of the candidate ride on a session.
	Rides bool

	// Deaf has the worker's store ignore the ends of contexts, as some do.
	Deaf bool
}

// flags binds the fields to flags.
func (c *Config) flags(f *flag.FlagSet) {
	f.StringVar(&c.Mode, "mode", Run, "run, runForElection, follow or command")
	f.StringVar(&c.Store, "store", "", "URL of the store")
	f.StringVar(&c.Key, "key", "", "key of the election")
	f.StringVar(&c.Node, "node", "", "name of the candidate")
	f.IntVar(&c.Incarnation, "incarnation", 1, "which start of this node it is")
	f.DurationVar(&c.TTL, "ttl", time.Second, "TTL of the candidate")
	f.DurationVar(&c.Grace, "grace", 0, "grace of the candidate")
	f.StringVar(&c.Log, "log", "", "file of the log")
	f.StringVar(&c.Resource, "resource", "", "host:port of the resources")
	f.DurationVar(&c.Every, "every", 2*time.Millisecond, "wait between two rounds of questions")
	f.IntVar(&c.Writes, "writes", 10, "rounds of questions for each pair of writes")
	f.BoolVar(&c.Clock, "clock", false, "give the candidate a clock of its own")
	f.Float64Var(&c.Rate, "rate", 1, "speed of the candidate's clock")
	f.DurationVar(&c.Wind, "wind", 0, "how long work goes on after its context has ended")
	f.IntVar(&c.Rounds, "rounds", 0, "rounds attempted in a second")
	f.BoolVar(&c.Rides, "rides", false, "have terms ride on a session")
	f.BoolVar(&c.Deaf, "deaf", false, "have the store ignore the ends of contexts")
}

// Parse reads a command line, without the program's name, and checks it.
func Parse(args []string, getenv func(string) string) (Config, error) {
	var c Config
	f := flag.NewFlagSet("worker", flag.ContinueOnError)
	c.flags(f)
	if err := f.Parse(args); err != nil {
		return c, err
	}
	if c.Mode == Command {
		c.Key, c.Node = getenv("LEADERSHIP_KEY"), getenv("LEADERSHIP_NODE")
	}
	return c, c.check()
}

// Args returns the command line that Parse reads c from.
func (c Config) Args() []string {
	args := []string{
		"-mode", c.Mode, "-incarnation", strconv.Itoa(c.Incarnation), "-ttl", c.TTL.String(), "-grace", c.Grace.String(), "-log", c.Log,
		"-resource", c.Resource, "-every", c.Every.String(), "-writes", strconv.Itoa(c.Writes), "-clock=" + strconv.FormatBool(c.Clock), "-rate", fmt.Sprint(c.Rate), "-wind", c.Wind.String(),
		"-rounds", strconv.Itoa(c.Rounds), "-rides=" + strconv.FormatBool(c.Rides), "-deaf=" + strconv.FormatBool(c.Deaf),
	}
	if c.Mode != Command {
		args = append(args, "-store", c.Store, "-key", c.Key, "-node", c.Node)
	}
	return args
}

func (c Config) check() error {
	switch {
	case c.Mode != Run && c.Mode != RunForElection && c.Mode != Follow && c.Mode != Command:
		return fmt.Errorf("worker: -mode %q is not run, runForElection, follow or command", c.Mode)
	case c.Mode != Command && (c.Store == "" || c.Key == "" || c.Node == ""):
		return errors.New("worker: -store, -key and -node must be set")
	case c.Mode == Command && (c.Key == "" || c.Node == ""):
		return errors.New("worker: a command is started by `leadership run`, which sets LEADERSHIP_KEY and LEADERSHIP_NODE")
	case !strings.HasSuffix(c.Log, ".log"):
		return fmt.Errorf("worker: -log is %q and must be a name that ends in .log", c.Log)
	case c.TTL < leadership.MinTTL:
		return fmt.Errorf("worker: -ttl is %v and must be at least %v", c.TTL, leadership.MinTTL)
	case c.Every <= 0 || c.Writes <= 0 || c.Rounds < 0 || c.Wind < 0 || c.Grace < 0:
		return errors.New("worker: -every and -writes must be above 0, -rounds, -wind and -grace not below")
	case c.Rate < 0.5 || c.Rate > 2:
		return fmt.Errorf("worker: -rate is %v and must be from 0.5 to 2", c.Rate)
	case c.Rate != 1 && !c.Clock:
		return errors.New("worker: -rate is of the candidate's own clock: set -clock")
	}
	return nil
}

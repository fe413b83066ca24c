package soak

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sample is what the worker has, and what it has done so far.
type Sample struct {
	At          time.Duration // since it began, in whole seconds
	Heap        uint64        // bytes, after a garbage collection
	Resident    uint64        // bytes of memory, as the kernel counts them
	Goroutines  uint64
	Descriptors uint64
	Connections uint64 // sockets among those
	Terms       uint64
	Answers     uint64 // 'I lead'
	Overlaps    uint64 // answers of two candidates of one election
	Faults      uint64
}

const header = "seconds,heap,resident,goroutines,descriptors,connections,terms,answers,overlaps,faults"

func (s *Sample) numbers() []*uint64 {
	return []*uint64{&s.Heap, &s.Resident, &s.Goroutines, &s.Descriptors, &s.Connections, &s.Terms, &s.Answers, &s.Overlaps, &s.Faults}
}

// String returns the sample as a line of CSV, by the header.
func (s Sample) String() string {
	line := strconv.Itoa(int(s.At.Seconds()))
	for _, n := range s.numbers() {
		line += "," + strconv.FormatUint(*n, 10)
	}
	return line
}

func parse(line string) (Sample, error) {
	var s Sample
	fields := strings.Split(line, ",")
	numbers := s.numbers()
	if len(fields) != len(numbers)+1 {
		return s, fmt.Errorf("soak: %q is no sample", line)
	}
	seconds, err := strconv.ParseUint(fields[0], 10, 32)
	s.At = time.Duration(seconds) * time.Second
	for i, n := range numbers {
		var errNumber error
		*n, errNumber = strconv.ParseUint(fields[i+1], 10, 64)
		err = errors.Join(err, errNumber)
	}
	if err != nil {
		return s, fmt.Errorf("soak: %q is no sample: %w", line, err)
	}
	return s, nil
}

// Read reads the samples of a file.
func Read(path string) (samples []Sample, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines, err := csv.NewReader(file).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("soak: read %s: %w", path, err)
	}
	if len(lines) == 0 || strings.Join(lines[0], ",") != header {
		return nil, fmt.Errorf("soak: %s has no samples", path)
	}
	for _, line := range lines[1:] {
		s, err := parse(strings.Join(line, ","))
		if err != nil {
			return nil, err
		}
		samples = append(samples, s)
	}
	return samples, nil
}

// series are what has to stay flat: by how much in a hundred the end may be above the
// beginning, and how much more for what is small.
var series = []struct {
	name  string
	of    func(Sample) float64
	rise  float64 // percent
	spare float64
}{
	{"heap after a collection, MiB", func(s Sample) float64 { return float64(s.Heap) / (1 << 20) }, 10, 1},
	{"resident memory, MiB", func(s Sample) float64 { return float64(s.Resident) / (1 << 20) }, 15, 2},
	{"goroutines", func(s Sample) float64 { return float64(s.Goroutines) }, 5, 5},
	{"file descriptors", func(s Sample) float64 { return float64(s.Descriptors) }, 5, 3},
	{"connections", func(s Sample) float64 { return float64(s.Connections) }, 5, 3},
}

// Flat returns an error that names what has risen: the tenth percentile of the last fifth of
// the samples is compared with that of the second and third tenth. What leaks is there even
// when the least is under way; how much is under way depends on what else the machine does.
func Flat(samples []Sample) error {
	n := len(samples)
	if n < 20 {
		return fmt.Errorf("soak: %d samples are too few to tell", n)
	}
	var risen []error
	for _, s := range series {
		begin, end := percentile(beginning(samples), s.of, 10), percentile(ending(samples), s.of, 10)
		if end > begin*(1+s.rise/100)+s.spare {
			risen = append(risen, fmt.Errorf("soak: %s: %.1f in the beginning, %.1f in the end", s.name, begin, end))
		}
	}
	return errors.Join(risen...)
}

// beginning and ending are the samples that are compared: those after the first tenth, up to
// three tenths, and the last fifth.
func beginning(samples []Sample) []Sample { return samples[len(samples)/10 : len(samples)*3/10+1] }
func ending(samples []Sample) []Sample    { return samples[len(samples)*4/5:] }

func percentile(samples []Sample, of func(Sample) float64, percent int) float64 {
	var values []float64
	for _, s := range samples {
		values = append(values, of(s))
	}
	slices.Sort(values)
	return values[len(values)*percent/100]
}

// Summary returns what the samples tell, as a line of Markdown each.
func Summary(samples []Sample) string {
	var b strings.Builder
	last := samples[len(samples)-1]
	fmt.Fprintf(&b, "In %v and %d faults there were %d terms, %d answers 'I lead', and %d overlaps.\n\n"+
		"| | tenth percentile, in the beginning | in the end | median, in the beginning | in the end | most |\n|---|---|---|---|---|---|\n",
		last.At, last.Faults, last.Terms, last.Answers, last.Overlaps)
	for _, s := range series {
		most := 0.0
		for _, sample := range samples {
			most = max(most, s.of(sample))
		}
		fmt.Fprintf(&b, "| %s |", s.name)
		for _, percent := range []int{10, 50} {
			fmt.Fprintf(&b, " %.1f | %.1f |", percentile(beginning(samples), s.of, percent), percentile(ending(samples), s.of, percent))
		}
		fmt.Fprintf(&b, " %.1f |\n", most)
	}
	return b.String()
}

// Page returns the section of docs/faults.md that tells of the samples.
func Page(samples []Sample) string {
	return `## An hour

One process stands in an election on every store at once, with three candidates and a
follower in each, TTL 1 s, and wins a round on each every 10 s, while a fault comes every 10 s: on
the way of one candidate to its store, of a server, of a record, or of the process itself. What the
process needs in the last fifth of the time is compared with what it needed in the second and third tenth:

` + Summary(samples) + `
![Memory, goroutines, file descriptors and connections over the time](soak.svg)

The tenth percentile is held to be flat: what leaks is there even when the least is under way. The ` + "[samples](../faults/soak/soak.csv)" + ` are a line every 10 s.
` + "`make faults-soak`" + ` repeats it, and fails if one of them rises.
`
}

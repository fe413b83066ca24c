package soak

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/seed-a1d591d3/leadership/store/all"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		if err := Work(os.Args[2:], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func TestElectionsGoOnThroughFaults(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	path := filepath.Join(t.TempDir(), "soak.csv")
	samples, err := Do(t.Context(), Config{
		Duration: 8 * time.Second, Every: time.Second, Sample: 200 * time.Millisecond, TTL: 300 * time.Millisecond, Seed: 7,
		Stores: []string{"sqlite", memoryStore}, Worker: []string{self, "worker"}, Samples: path, Log: &log,
	})
	if err != nil || len(samples) < 10 {
		t.Fatalf("%d samples, %v\n%s", len(samples), err, log.String())
	}
	last := samples[len(samples)-1]
	if last.Terms < 2 || last.Answers < 10 || last.Faults < 2 || last.Heap == 0 || last.Resident == 0 || last.Goroutines == 0 || last.Descriptors == 0 {
		t.Errorf("%+v\n%s", last, log.String())
	}
	if again, err := Read(path); err != nil || !slices.EqualFunc(again, samples, func(a, b Sample) bool { return a.String() == b.String() }) {
		t.Errorf("the file has %+v, %v", again, err)
	}
	svg := filepath.Join(t.TempDir(), "soak.svg")
	if err := Plot(samples, svg); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(svg); err != nil || strings.Count(string(text), "<path") < 5*len(series) {
		t.Errorf("the plot has %d bytes, %v", len(text), err)
	}
}

// level has so many samples of the same, with a little of noise and a fault now and then.
func level(n int) (samples []Sample) {
	for i := range n {
		noise := uint64(i * 7 % 5)
		s := Sample{At: time.Duration(i) * time.Second, Heap: 20<<20 + noise<<16, Resident: 60<<20 + noise<<16, Goroutines: 200 + noise, Descriptors: 60 + noise%2, Connections: 30 + noise%2}
		if i%13 == 0 {
			s.Goroutines += 150
		}
		samples = append(samples, s)
	}
	return samples
}

func TestWhatRisesIsFoundAndNamed(t *testing.T) {
	if err := Flat(level(100)); err != nil {
		t.Error(err)
	}
	if err := Flat(level(10)); err == nil {
		t.Error("ten samples are enough")
	}
	for name, rise := range map[string]func(s *Sample, i uint64){
		"heap":             func(s *Sample, i uint64) { s.Heap += i << 16 },
		"resident":         func(s *Sample, i uint64) { s.Resident += i << 18 },
		"goroutines":       func(s *Sample, i uint64) { s.Goroutines += i / 3 },
		"file descriptors": func(s *Sample, i uint64) { s.Descriptors += i / 9 },
		"connections":      func(s *Sample, i uint64) { s.Connections += i / 9 },
	} {
		samples := level(100)
		for i := range samples {
			rise(&samples[i], uint64(i))
		}
		if err := Flat(samples); err == nil || !strings.Contains(err.Error(), name) || strings.Count(err.Error(), "\n") > 0 {
			t.Errorf("%s rises, and it says %v", name, err)
		}
	}
}

func TestWhatIsNoSampleIsRefused(t *testing.T) {
	for _, line := range []string{"", header, "1,2,3", "1,2,3,4,5,6,7,8,9,-10", "x,2,3,4,5,6,7,8,9,10", "1,2,3,4,5,6,7,8,9,10,11"} {
		if s, err := parse(line); err == nil {
			t.Errorf("%q is read as %v", line, s)
		}
	}
}

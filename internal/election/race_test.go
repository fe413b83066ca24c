package election

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// vacancy is how one vacancy goes for candidates that all see it at once, on a store that
// answers a call in quick, and serves one in each busy. It returns after how long the first
// tries, and how many do.
func vacancy(all []*race, free time.Duration, rng *rand.Rand) (after time.Duration, writes int) {
	const quick, busy = 300 * time.Microsecond, 50 * time.Microsecond
	tries := make([]time.Duration, len(all))
	for i, r := range all {
		tries[i] = r.turn(free, free, raceSlot*quick, rng.Float64) - free
	}
	first := slices.Min(tries)
	for _, i := range rng.Perm(len(all)) {
		if tries[i] > first { // it sees the winner first
			continue
		}
		if writes == 0 {
			all[i].won()
		} else {
			all[i].lost(int((quick + time.Duration(writes)*busy) / quick))
		}
		writes++
	}
	return first, writes
}

func TestFewOfManyCandidatesTryAtOnce(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, n := range []int{10, 100, 1000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			all := make([]*race, n)
			for i := range all {
				all[i] = new(race)
			}
			const vacancies = 400
			var writes, tail []int
			var waits []time.Duration
			for i := range vacancies {
				after, w := vacancy(all, time.Duration(i+1)*time.Second, rng)
				writes, waits = append(writes, w), append(waits, after)
			}
			tail = writes[vacancies/2:]
			slices.Sort(tail)
			late := slices.Clone(waits[vacancies/2:])
			slices.Sort(late)
			sum := 0
			for _, w := range tail {
				sum += w
			}
			t.Logf("the first vacancies: %v writes; later %.1f in the mean, %d at most; a first try after %v in the median, %v at most",
				writes[:12], float64(sum)/float64(len(tail)), tail[len(tail)-1], late[len(late)/2], late[len(late)-1])
			if mean := float64(sum) / float64(len(tail)); mean > 6 {
				t.Errorf("seed %d: %.1f writes at a vacancy", seed, mean)
			}
			if median := late[len(late)/2]; median > 8*time.Millisecond {
				t.Errorf("seed %d: the first try comes after %v", seed, median)
			}
		})
	}
}

func TestTwoCandidatesTryAtOnce(t *testing.T) {
	var a, b race
	for free := time.Duration(1); free < 100; free++ {
		for _, r := range []*race{&a, &b} {
			if try := r.turn(free, free, time.Second, rand.Float64); try != free {
				t.Fatalf("it tries after %v", try-free)
			}
		}
		a.won() // the other was not there, or saw it in time
	}
}

func TestTryIsDrawnOnceForAVacancy(t *testing.T) {
	r := race{n: 1 << 10}
	chances := []float64{0.9, 0.9, 0} // twice not
	chance := func() float64 { c := chances[0]; chances = chances[1:]; return c }
	if at := r.turn(4, 5, 10, chance); at != 5 {
		t.Errorf("before the seat is free: %v", at)
	}
	for range 3 {
		if at := r.turn(6, 5, 10, chance); at != 26 {
			t.Errorf("it tries at %v", at)
		}
	}
}

func TestEstimateOfCandidatesIsBounded(t *testing.T) {
	var r race
	for range 100 {
		r.lost(1)
	}
	slots := 0
	r.turn(1, 1, 1, func() float64 { slots++; return 0.999999 })
	if slots > 12 {
		t.Errorf("%d slots", slots)
	}
	for range 100 {
		r.won()
	}
	if at := r.turn(2, 2, 1, rand.Float64); at != 2 {
		t.Errorf("it tries at %v after 100 wins", at)
	}
}

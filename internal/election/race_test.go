package election

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// vacancy is how one vacancy goes for candidates that see it one after another, all within
// news, and see in the same order that another has won, on a store that answers a call in
// quick, and serves one in each busy. It returns after how long the first tries, and how many
// do.
func vacancy(all []*race, free, news time.Duration, rng *rand.Rand) (after time.Duration, tries int) {
	const quick, busy = 300 * time.Microsecond, 50 * time.Microsecond
	order := rng.Perm(len(all))
	heard := func(place int) time.Duration { return time.Duration(place) * news / time.Duration(len(all)) }
	after = time.Hour
	for place, i := range order {
		at := free + heard(place)
		after = min(after, all[i].turn(at, free, quick, time.Second, rng.Float64)-free)
	}
	won := max(free+after+2*quick, free+news) // by then all have heard of the vacancy
	for place, i := range order {
		switch r := all[i]; {
		case r.try() == free+after && tries == 0:
			r.won()
			tries++
		case r.try() < won+heard(place):
			tries++
			r.lost(max(won, r.try()+2*quick)+time.Duration(tries)*busy, quick)
		default:
			r.lost(won+heard(place), quick)
		}
	}
	return after, tries
}

func TestFewOfManyCandidatesTryAtOnce(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, c := range []struct {
		n    int
		news time.Duration
	}{{10, 0}, {100, 0}, {1000, 0}, {1000, 5 * time.Millisecond}, {1000, 50 * time.Millisecond}} {
		t.Run(fmt.Sprint(c.n, " with news within ", c.news), func(t *testing.T) {
			all := make([]*race, c.n)
			for i := range all {
				all[i] = new(race)
			}
			const vacancies = 400
			var tries, tail []int
			var waits []time.Duration
			for i := range vacancies {
				after, n := vacancy(all, time.Duration(i+1)*time.Second, c.news, rng)
				tries, waits = append(tries, n), append(waits, after)
			}
			tail = tries[vacancies/2:]
			slices.Sort(tail)
			late := slices.Clone(waits[vacancies/2:])
			slices.Sort(late)
			early, sum := 0, 0
			for _, n := range tries[1:20] {
				early += n
			}
			if early > 19*12 {
				t.Errorf("seed %d: %.1f tries at the first vacancies after the first", seed, float64(early)/19)
			}
			for _, n := range tail {
				sum += n
			}
			t.Logf("the first vacancies: %v tries; later %.1f in the mean, %d at most; a first try after %v in the median, %v at most",
				tries[:12], float64(sum)/float64(len(tail)), tail[len(tail)-1], late[len(late)/2], late[len(late)-1])
			few := 6.0
			if c.news > 0 {
				few = float64(c.n) / 10
			}
			if mean := float64(sum) / float64(len(tail)); mean > few {
				t.Errorf("seed %d: %.1f tries at a vacancy", seed, mean)
			}
			if median := late[len(late)/2]; median > 8*time.Millisecond+2*c.news {
				t.Errorf("seed %d: the first try comes after %v", seed, median)
			}
		})
	}
}

func TestTwoCandidatesTryAtOnce(t *testing.T) {
	var a, b race
	for free := time.Duration(1); free < 100; free++ {
		for _, r := range []*race{&a, &b} {
			if try := r.turn(free, free, time.Second, time.Minute, rand.Float64); try != free {
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
	if at := r.turn(4, 5, 10, time.Minute, chance); at != 5 {
		t.Errorf("before the seat is free: %v", at)
	}
	for range 3 {
		if at := r.turn(6, 5, 10, time.Minute, chance); at != 66 {
			t.Errorf("it tries at %v", at)
		}
	}
}

func TestEstimateOfCandidatesIsBounded(t *testing.T) {
	var r race
	const day = 24 * time.Hour
	free := time.Duration(0)
	next := func(chance func() float64) time.Duration {
		free += day
		return r.turn(free, free, time.Millisecond, time.Second, chance) - free
	}
	for range 100 {
		next(func() float64 { return 0 }) // it tries at once
		r.lost(free+time.Hour, time.Millisecond)
	}
	never := func() float64 { return 0.999999 }
	for range 100 {
		next(never)
		r.lost(free+time.Hour, time.Millisecond)
	}
	if wait := next(never); wait > 12*time.Second {
		t.Errorf("it waits for %v", wait)
	}
	for range 100 {
		next(never)
		r.won()
	}
	if at := next(rand.Float64); at != 0 {
		t.Errorf("it tries at %v after 100 wins", at)
	}
}

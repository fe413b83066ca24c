package sim

import (
	"math"
	"math/bits"
	"time"
)

// dice gives chance as a pure function of the instant at which it is asked
// for and of what asks. So a history doesn't depend on the order in which the
// scheduler happens to run goroutines that are awake at the same instant, and
// a seed gives the same history each time.
type dice uint64

// child returns the dice of a part of the world.
func (d dice) child(name string) dice {
	h := uint64(d) ^ 0x9e3779b97f4a7c15
	for i := range len(name) {
		h = mix(h ^ uint64(name[i]))
	}
	return dice(h)
}

// at returns the chance that what has at the instant v.
func (d dice) at(v time.Duration, what uint64) *chance {
	return &chance{state: mix(mix(uint64(d)^uint64(v)) ^ what)}
}

// rolls returns a sequence of chances, for a single goroutine.
func (d dice) rolls() *chance { return &chance{state: mix(uint64(d))} }

// chance is a sequence of random numbers (splitmix64).
type chance struct{ state uint64 }

func (c *chance) uint64() uint64 {
	c.state += 0x9e3779b97f4a7c15
	return mix(c.state)
}

func (c *chance) float() float64 { return float64(c.uint64()>>11) / (1 << 53) }

// p says yes with probability x.
func (c *chance) p(x float64) bool { return c.float() < x }

// n returns one of 0 ... n-1.
func (c *chance) n(n int) int {
	hi, _ := bits.Mul64(c.uint64(), uint64(n))
	return int(hi)
}

// between returns a duration from lo to hi, each as likely.
func (c *chance) between(lo, hi time.Duration) time.Duration {
	if hi <= lo {
		return lo
	}
	return lo + time.Duration(c.float()*float64(hi-lo))
}

// spread returns a duration from lo to hi, each order of magnitude as likely.
func (c *chance) spread(lo, hi time.Duration) time.Duration {
	if hi <= lo {
		return lo
	}
	return time.Duration(float64(lo) * math.Exp(c.float()*math.Log(float64(hi)/float64(lo))))
}

// pick returns one of xs.
func pick[T any](c *chance, xs ...T) T { return xs[c.n(len(xs))] }

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Package stat sums up samples.
package stat

import (
	"math"
	"slices"
)

// Figure is what samples come to.
type Figure struct {
	Median float64 `json:"median"`
	P99    float64 `json:"p99"`
	N      int     `json:"samples"`
}

// Of sums up samples, which it leaves as they are. The zero Figure is that of none.
func Of(samples []float64) Figure {
	return Figure{Median: Quantile(samples, 0.5), P99: Quantile(samples, 0.99), N: len(samples)}
}

// Quantile returns the least sample that q of all are not above, from 0, the least, to 1, the
// greatest; for the median of an even number the mean of the two in the middle. It is 0 for
// no samples.
func Quantile(samples []float64, q float64) float64 {
	n := len(samples)
	if n == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(samples))
	if q == 0.5 && n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	rank := int(math.Ceil(q * float64(n)))
	return sorted[min(max(rank, 1), n)-1]
}

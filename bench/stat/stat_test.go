package stat

import (
	"slices"
	"testing"
)

func TestQuantilesOfSamples(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(100 - i)
	}
	for _, c := range []struct {
		samples []float64
		q, want float64
	}{
		{nil, 0.5, 0},
		{[]float64{7}, 0.5, 7},
		{[]float64{7}, 0.99, 7},
		{[]float64{3, 1, 2}, 0.5, 2},
		{[]float64{4, 1, 3, 2}, 0.5, 2.5},
		{[]float64{4, 1, 3, 2}, 0.99, 4},
		{[]float64{4, 1, 3, 2}, 0, 1},
		{[]float64{4, 1, 3, 2}, 1, 4},
		{hundred, 0.5, 50.5},
		{hundred, 0.99, 99},
		{append(slices.Clone(hundred), 1000), 0.99, 100},
	} {
		before := slices.Clone(c.samples)
		if got := Quantile(c.samples, c.q); got != c.want {
			t.Errorf("quantile %v of %v is %v, want %v", c.q, c.samples, got, c.want)
		}
		if !slices.Equal(before, c.samples) {
			t.Errorf("the samples are changed: %v", c.samples)
		}
	}
	if f := Of([]float64{2, 4, 6}); f != (Figure{4, 6, 3}) {
		t.Errorf("the figure is %+v", f)
	}
}

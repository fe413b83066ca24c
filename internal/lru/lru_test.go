package lru_test

import (
	"slices"
	"testing"

	"github.com/seed-a1d591d3/leadership/internal/lru"
)

func TestMapDropsTheEntryNotUsedForTheLongestTime(t *testing.T) {
	m := lru.New[string, int](3)
	made := 0
	get := func(key string) int {
		return m.Get(key, func() int { made++; return made })
	}
	for _, key := range []string{"a", "b", "c", "a", "d"} {
		get(key)
	}
	if want := []string{"d", "a", "c"}; !slices.Equal(m.Keys(), want) {
		t.Errorf("keys are %v, want %v", m.Keys(), want)
	}
	if !m.Has("c") || m.Has("b") || get("a") != 1 || get("b") != 5 {
		t.Error("it does not hold what was used last")
	}
	if m.Has("c") {
		t.Error("Has uses an entry")
	}
	m.Delete("a")
	m.Delete("a")
	if want := []string{"b", "d"}; !slices.Equal(m.Keys(), want) || m.Has("a") {
		t.Errorf("keys are %v, want %v", m.Keys(), want)
	}
	m.Put("e", 7)
	m.Put("d", 8)
	m.Put("f", 9)
	if want := []string{"f", "d", "e"}; !slices.Equal(m.Keys(), want) || get("d") != 8 || get("e") != 7 {
		t.Errorf("keys are %v, want %v", m.Keys(), want)
	}
}

package fence_test

import (
	"testing"

	"github.com/seed-a1d591d3/leadership/fence"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func BenchmarkCheck(b *testing.B) {
	for name, check := range map[string]fence.Checker{
		"memory":          new(fence.Memory),
		"kv on memory":    fence.NewKV(memory.New(), "fences"),
		"http and memory": over(fence.Handler(new(fence.Memory), echo)),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := check.Check(b.Context(), "orders", 7); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

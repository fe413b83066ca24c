package zookeeper

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

func TestClientWithoutASessionEndsAtOnce(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	for name, hosts := range map[string][]string{
		"no answer": {mute.Addr().String()},
		"refused":   {gone.Addr().String()},
		"both":      {gone.Addr().String(), mute.Addr().String()},
	} {
		t.Run(name, func(t *testing.T) {
			for range 5 {
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				began := time.Now()
				_, err := open(ctx, &store.URL{Scheme: "zookeeper", Hosts: hosts})
				took := time.Since(began)
				cancel()
				if err == nil || took > store.OpenTimeout/10 {
					t.Errorf("it took %v to end: %v", took, err)
				}
			}
		})
	}
}

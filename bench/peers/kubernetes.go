package peers

import (
	"context"
	"io"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
)

var clientGo = &Library{
	Name: "client-go", Store: Kubernetes, Module: "k8s.io/client-go",
	About: "`LeaderElector.Run` with a `LeaseLock` and `ReleaseOnCancel`, a deadline of two thirds and retries of two fifteenths of the TTL, as by default; " +
		"its API server is a stand-in that keeps Leases in memory, since none runs here: a true one is slower",
	MinTTL: time.Second,
	Poll:   2.0 / 15,
	Held:   1000, Limit: "it makes a write every two seconds for each",
	open: func(_ context.Context, addr string) (Client, error) {
		klog.LogToStderr(false)
		klog.SetOutput(io.Discard)
		// The client has no limit of its own, which is 5 requests a second by default.
		client, err := kubernetes.NewForConfig(&rest.Config{
			Host: "http://" + addr, QPS: -1,
			ContentConfig: rest.ContentConfig{ContentType: "application/json", AcceptContentTypes: "application/json"},
		})
		if err != nil {
			return nil, err
		}
		return &kubernetesClient{client}, nil
	},
}

type kubernetesClient struct{ client *kubernetes.Clientset }

func (c *kubernetesClient) Close() error { return nil }

func (c *kubernetesClient) Candidate(key, node string, ttl time.Duration) (Candidate, error) {
	k := &kubernetesCandidate{led: make(chan struct{}, 1)}
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Name: key, Namespace: "bench"},
			Client:     c.client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: node},
		},
		LeaseDuration: ttl, RenewDeadline: ttl * 2 / 3, RetryPeriod: ttl * 2 / 15, ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { k.led <- struct{}{} },
			OnStoppedLeading: func() {},
		},
	})
	k.elector = elector
	return k, err
}

type kubernetesCandidate struct {
	elector *leaderelection.LeaderElector
	led     chan struct{}
	cancel  context.CancelFunc
	ended   chan struct{}
}

func (c *kubernetesCandidate) Campaign(ctx context.Context) error {
	ctx, c.cancel = context.WithCancel(ctx)
	ended := make(chan struct{})
	c.ended = ended
	go func() {
		defer close(ended)
		c.elector.Run(ctx)
	}()
	select {
	case <-c.led:
		return nil
	case <-ended:
		return context.Cause(ctx)
	}
}

func (c *kubernetesCandidate) Resign(context.Context) error {
	c.cancel()
	<-c.ended
	return nil
}

func (c *kubernetesCandidate) IsLeader() bool { return c.elector.IsLeader() }

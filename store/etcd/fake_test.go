package etcd_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/etcd"
)

// fake is a server that does what real ones do too seldom to wait for.
type fake struct {
	pb.UnimplementedKVServer
	pb.UnimplementedWatchServer
	pb.UnimplementedLeaseServer

	addr    string
	refusal error // of reads, if not nil
	txns    atomic.Int64
	revoked atomic.Int64

	// The first transaction is cancelled, and the others are refused for what
	// they find, which is this.
	found *mvccpb.KeyValue

	watches atomic.Int64
	watch   func(number int64, stream pb.Watch_WatchServer) error // number is from 1
}

// startFake starts a fake that the end of the test stops.
func startFake(t *testing.T) *fake {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{addr: l.Addr().String()}
	server := grpc.NewServer()
	pb.RegisterKVServer(server, f)
	pb.RegisterWatchServer(server, f)
	pb.RegisterLeaseServer(server, f)
	done := make(chan error)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return f
}

func (f *fake) Range(context.Context, *pb.RangeRequest) (*pb.RangeResponse, error) {
	return &pb.RangeResponse{Header: &pb.ResponseHeader{Revision: 7}}, f.refusal
}

func (f *fake) Txn(context.Context, *pb.TxnRequest) (*pb.TxnResponse, error) {
	if f.txns.Add(1) == 1 {
		return nil, status.Error(codes.Canceled, "etcdserver: request canceled")
	}
	found := &pb.RangeResponse{Kvs: []*mvccpb.KeyValue{f.found}}
	return &pb.TxnResponse{
		Header:    &pb.ResponseHeader{Revision: 9},
		Responses: []*pb.ResponseOp{{Response: &pb.ResponseOp_ResponseRange{ResponseRange: found}}},
	}, nil
}

func (f *fake) Watch(stream pb.Watch_WatchServer) error {
	if _, err := stream.Recv(); err != nil {
		return err
	}
	return f.watch(f.watches.Add(1), stream)
}

func (f *fake) LeaseGrant(_ context.Context, r *pb.LeaseGrantRequest) (*pb.LeaseGrantResponse, error) {
	return &pb.LeaseGrantResponse{ID: 1, TTL: max(r.TTL, 2)}, nil
}

func (f *fake) LeaseRevoke(context.Context, *pb.LeaseRevokeRequest) (*pb.LeaseRevokeResponse, error) {
	f.revoked.Add(1)
	return &pb.LeaseRevokeResponse{}, nil
}

// isRefusal reports whether err means that nothing was written.
func isRefusal(err error) bool {
	return errors.Is(err, store.ErrKeyModified) || errors.Is(err, store.ErrKeyExists) || errors.Is(err, store.ErrKeyNotFound)
}

func TestWriteIsNotSentAgain(t *testing.T) {
	for what, previous := range map[string]*store.KVPair{"create": nil, "swap": {LastIndex: 3}} {
		t.Run(what, func(t *testing.T) {
			f := startFake(t)
			f.found = &mvccpb.KeyValue{Key: []byte("key"), Value: []byte("ours"), ModRevision: 8}
			kv := onClient(t, f.addr, etcd.DialOptions()...)
			defer kv.Close()
			_, _, err := kv.AtomicPut(t.Context(), "key", []byte("ours"), previous, nil)
			if err == nil || isRefusal(err) || !strings.Contains(err.Error(), "request canceled") {
				t.Errorf("%v; want what the server said", err)
			}
			if n := f.txns.Load(); n != 1 {
				t.Errorf("it was sent %d times", n)
			}
		})
	}
}

// TestWriteThatTheClientSentAgainIsUnknown: without DialOptions etcd's client sends a
// write again, which is refused because of the first one.
func TestWriteThatTheClientSentAgainIsUnknown(t *testing.T) {
	for what, previous := range map[string]*store.KVPair{"create": nil, "swap": {LastIndex: 3}} {
		for value, refused := range map[string]bool{"ours": false, "theirs": true} {
			t.Run(what+" finds "+value, func(t *testing.T) {
				f := startFake(t)
				f.found = &mvccpb.KeyValue{Key: []byte("key"), Value: []byte(value), ModRevision: 8}
				kv := onClient(t, f.addr)
				defer kv.Close()
				ok, pair, err := kv.AtomicPut(t.Context(), "key", []byte("ours"), previous, nil)
				if ok || pair != nil || err == nil || isRefusal(err) != refused {
					t.Errorf("%v, %v, %v", ok, pair, err)
				}
				if n := f.txns.Load(); n != 2 {
					t.Errorf("it was sent %d times", n)
				}
			})
		}
	}
}

// TestRefusalIsCertainWithDialOptions: an equal value was written by another client then.
func TestRefusalIsCertainWithDialOptions(t *testing.T) {
	f := startFake(t)
	f.txns.Store(1)
	f.found = &mvccpb.KeyValue{Key: []byte("key"), Value: []byte("same"), ModRevision: 8}
	kv := onClient(t, f.addr, etcd.DialOptions()...)
	defer kv.Close()
	if _, _, err := kv.AtomicPut(t.Context(), "key", []byte("same"), nil, nil); !errors.Is(err, store.ErrKeyExists) {
		t.Errorf("%v; want ErrKeyExists", err)
	}
}

// TestTTLBelowTheServersIsRefused: this server has no lease below 2 s.
func TestTTLBelowTheServersIsRefused(t *testing.T) {
	f := startFake(t)
	kv := onClient(t, f.addr)
	defer kv.Close()
	for _, ttl := range []time.Duration{time.Millisecond, time.Second} {
		if _, _, err := kv.AtomicPut(t.Context(), "key", nil, nil, &store.WriteOptions{TTL: ttl}); !errors.Is(err, store.ErrTTLNotSupported) {
			t.Errorf("%v; want ErrTTLNotSupported", err)
		}
	}
	if f.txns.Load() != 0 || f.revoked.Load() != 1 {
		t.Errorf("%d transactions, %d leases taken back", f.txns.Load(), f.revoked.Load())
	}
}

// TestWatchLeavesAMemberWithoutALeader: it asks for a leader, and begins again when the
// member has none.
func TestWatchLeavesAMemberWithoutALeader(t *testing.T) {
	f := startFake(t)
	f.watch = func(number int64, stream pb.Watch_WatchServer) error {
		if md, _ := metadata.FromIncomingContext(stream.Context()); len(md.Get(rpctypes.MetadataRequireLeaderKey)) == 0 {
			t.Error("it does not ask for a leader")
		}
		if err := stream.Send(&pb.WatchResponse{Header: &pb.ResponseHeader{Revision: 7}, Created: true}); err != nil {
			return err
		}
		if number == 1 {
			return rpctypes.ErrGRPCNoLeader
		}
		err := stream.Send(&pb.WatchResponse{Header: &pb.ResponseHeader{Revision: 8}, Events: []*mvccpb.Event{
			{Kv: &mvccpb.KeyValue{Key: []byte("key"), Value: []byte("a"), ModRevision: 8}},
		}})
		<-stream.Context().Done()
		return err
	}
	kv := onClient(t, f.addr)
	defer kv.Close()
	pairs, err := kv.Watch(t.Context(), "key", nil)
	if err != nil {
		t.Fatal(err)
	}
	wantTold(t, pairs, 0)
	wantTold(t, pairs, 8)
}

func TestFullClusterIsNamedWithTheRemedy(t *testing.T) {
	for remedy, refusal := range map[string]error{
		"have fewer of them": rpctypes.ErrGRPCRequestTooManyRequests,
		"disarm the alarm":   rpctypes.ErrGRPCNoSpace,
	} {
		f := startFake(t)
		f.refusal = refusal
		kv := onClient(t, f.addr, etcd.DialOptions()...)
		if _, err := kv.Get(t.Context(), "key", nil); err == nil || !strings.Contains(err.Error(), remedy) || !strings.Contains(err.Error(), status.Convert(refusal).Message()) {
			t.Errorf("%v has no %q", err, remedy)
		}
		kv.Close()
	}
}

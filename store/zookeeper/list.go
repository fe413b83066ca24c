package zookeeper

import (
	"context"
	"errors"
	"strings"

	"github.com/go-zookeeper/zk"

	"github.com/seed-a1d591d3/leadership/store"
)

// List returns the pairs whose keys begin with directory. It reads one node after
// another, with at least one round trip for each, so its result is not that of one
// instant. As in valkeyrie's stores, directory is a plain prefix ("job" covers "jobs/1"
// too; end it with a slash to prevent that), and a key that equals it is left out. It
// returns store.ErrKeyNotFound if there are no such keys. opts are as for Get.
func (s *Store) List(ctx context.Context, directory string, opts *store.ReadOptions) ([]*store.KVPair, error) {
	return s.base.List(ctx, directory, func() ([]*store.KVPair, error) { return s.list(ctx, directory, opts, everything) })
}

func everything(string) bool { return true }

// Page implements store.Pager. There is one page, for ZooKeeper tells neither which nodes
// have a value nor which have nodes beneath them: so there is a round trip for each node,
// but only the values that are wanted are read.
func (s *Store) Page(ctx context.Context, directory, from string, wanted func(key string) bool) ([]*store.KVPair, string, error) {
	pairs, err := s.base.List(ctx, directory, func() ([]*store.KVPair, error) {
		if from != "" {
			return nil, store.ErrInvalidPage
		}
		return s.list(ctx, directory, nil, wanted)
	})
	if errors.Is(err, store.ErrKeyNotFound) {
		err = nil
	}
	return pairs, "", err
}

func (s *Store) list(ctx context.Context, directory string, opts *store.ReadOptions, wanted func(key string) bool) ([]*store.KVPair, error) {
	// The part of directory before the last slash is a node, and the part after it a
	// prefix of names.
	w := walk{store: s, directory: directory, wanted: wanted}
	top, parents := "/", directory[:strings.LastIndexByte(directory, '/')+1]
	if parents != "" {
		top = nodeOf(parents[:len(parents)-1])
	}
	return read(ctx, s, s.limits.List, opts, func() ([]*store.KVPair, error) {
		w.pairs = nil // of an earlier attempt
		err := w.beneath(ctx, top, parents)
		return w.pairs, err
	})
}

// walk visits the nodes of the keys that begin with directory.
type walk struct {
	store     *Store
	directory string
	wanted    func(key string) bool // whether the value of a key is to be read
	pairs     []*store.KVPair
}

// beneath visits the nodes beneath node. The keys there begin with prefix.
func (w *walk) beneath(ctx context.Context, node, prefix string) error {
	names, _, err := w.store.conn.Children(node)
	if err != nil {
		return ignoreMissing(err)
	}
	for _, name := range names {
		part, ok := unescape(name, prefix == "")
		if !ok || !strings.HasPrefix(prefix+part, w.directory) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.at(ctx, strings.TrimSuffix(node, "/")+"/"+name, prefix+part); err != nil {
			return err
		}
	}
	return nil
}

// at visits a node and the nodes beneath it.
func (w *walk) at(ctx context.Context, node, key string) error {
	pair, stat, err := w.pair(node, key)
	if err != nil {
		return ignoreMissing(err)
	}
	if pair != nil {
		w.pairs = append(w.pairs, pair)
	}
	if stat.NumChildren == 0 {
		return nil
	}
	return w.beneath(ctx, node, key+"/")
}

// pair returns what is under a key, without the value if that is not wanted; nil if the
// node is that of no key.
func (w *walk) pair(node, key string) (*store.KVPair, *zk.Stat, error) {
	wanted := w.wanted(key)
	if !wanted {
		switch exists, stat, err := w.store.conn.Exists(node); {
		case err != nil:
			return nil, nil, err
		case !exists:
			return nil, nil, zk.ErrNoNode
		case stat.DataLength > 0:
			return &store.KVPair{Key: key}, stat, nil
		}
	}
	// No data, of a node without a value, and an empty value look alike but here.
	data, stat, err := w.store.conn.Get(node)
	switch {
	case err != nil:
		return nil, nil, err
	case data == nil:
		return nil, stat, nil
	case !wanted:
		return &store.KVPair{Key: key}, stat, nil
	}
	return pairOf(key, data, stat), stat, nil
}

// ignoreMissing returns nil if the node has been deleted since it was listed.
func ignoreMissing(err error) error {
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	return err
}

func parentOf(node string) string { return node[:strings.LastIndexByte(node, '/')] }

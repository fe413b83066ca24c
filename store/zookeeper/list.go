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
	return s.base.List(ctx, directory, func() ([]*store.KVPair, error) { return s.list(ctx, directory, opts) })
}

func (s *Store) list(ctx context.Context, directory string, opts *store.ReadOptions) ([]*store.KVPair, error) {
	// The part of directory before the last slash is a node, and the part after it a
	// prefix of names.
	w := walk{store: s, directory: directory}
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
	data, stat, err := w.store.conn.Get(node)
	if err != nil {
		return ignoreMissing(err)
	}
	if data != nil {
		w.pairs = append(w.pairs, pairOf(key, data, stat))
	}
	if stat.NumChildren == 0 {
		return nil
	}
	return w.beneath(ctx, node, key+"/")
}

// ignoreMissing returns nil if the node has been deleted since it was listed.
func ignoreMissing(err error) error {
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	return err
}

func parentOf(node string) string { return node[:strings.LastIndexByte(node, '/')] }

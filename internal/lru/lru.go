// Package lru has a map of bounded size.
package lru

import (
	"container/list"
	"sync"
)

// Map holds the entries that were used last: one too many takes the place of the one
// that was not used for the longest time. Make it with New; the zero value is not usable.
// Its methods are safe for concurrent use.
type Map[K comparable, V any] struct {
	most int

	mu    sync.Mutex
	order list.List // of *entry[K, V], the one used last first
	byKey map[K]*list.Element
}

type entry[K comparable, V any] struct {
	key   K
	value V
}

// New makes a map of at most most entries.
func New[K comparable, V any](most int) *Map[K, V] {
	return &Map[K, V]{most: most, byKey: make(map[K]*list.Element)}
}

// Get returns the value of a key, and uses its entry. Where there is none it puts the
// value that begin returns; begin must not use the map.
func (m *Map[K, V]) Get(key K, begin func() V) V {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.byKey[key]; ok {
		m.order.MoveToFront(e)
		return e.Value.(*entry[K, V]).value
	}
	value := begin()
	m.add(key, value)
	return value
}

// Put sets the value of a key, and uses its entry.
func (m *Map[K, V]) Put(key K, value V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.byKey[key]; ok {
		m.order.MoveToFront(e)
		e.Value.(*entry[K, V]).value = value
		return
	}
	m.add(key, value)
}

// add adds an entry of a key that has none. It is called with mu held.
func (m *Map[K, V]) add(key K, value V) {
	if m.order.Len() >= m.most {
		delete(m.byKey, m.order.Remove(m.order.Back()).(*entry[K, V]).key)
	}
	m.byKey[key] = m.order.PushFront(&entry[K, V]{key, value})
}

// Has reports whether there is an entry of a key. It does not use it.
func (m *Map[K, V]) Has(key K) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.byKey[key] != nil
}

// Delete deletes the entry of a key, if there is one.
func (m *Map[K, V]) Delete(key K) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.byKey[key]; ok {
		m.order.Remove(e)
		delete(m.byKey, key)
	}
}

// Keys returns all keys, the one used last first.
func (m *Map[K, V]) Keys() []K {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys := make([]K, 0, m.order.Len())
	for e := m.order.Front(); e != nil; e = e.Next() {
		keys = append(keys, e.Value.(*entry[K, V]).key)
	}
	return keys
}

package httpapi

import (
	"container/list"
	"sync"

	"github.com/seed-a1d591d3/leadership"
)

// maxClaims is of how many elections a handler remembers what it has seen.
const maxClaims = 4096

// lately are the claims of the elections that were asked for last. It is safe
// for concurrent use.
type lately struct {
	most int

	mu    sync.Mutex
	order *list.List // of *kept, the latest first
	byKey map[string]*list.Element
}

type kept struct {
	key    string
	claims *leadership.Claims
}

func newLately(most int) *lately {
	return &lately{most: most, order: list.New(), byKey: make(map[string]*list.Element)}
}

// get returns the claims of a key, and makes them where there are none.
func (l *lately) get(key string, begin func() *leadership.Claims) *leadership.Claims {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e, ok := l.byKey[key]; ok {
		l.order.MoveToFront(e)
		return e.Value.(*kept).claims
	}
	if l.order.Len() >= l.most {
		delete(l.byKey, l.order.Remove(l.order.Back()).(*kept).key)
	}
	k := &kept{key, begin()}
	l.byKey[key] = l.order.PushFront(k)
	return k.claims
}

// knows says whether there are claims of a key.
func (l *lately) knows(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.byKey[key] != nil
}

// forget forgets the claims of a key.
func (l *lately) forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e, ok := l.byKey[key]; ok {
		l.order.Remove(e)
		delete(l.byKey, key)
	}
}

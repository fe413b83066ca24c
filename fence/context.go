package fence

import "context"

type contextKey struct{}

// WithToken returns a context that carries token, which a NewTransport then
// sends with the requests made under it.
func WithToken(ctx context.Context, token uint64) context.Context {
	return context.WithValue(ctx, contextKey{}, token)
}

// TokenFromContext returns the token that ctx carries, by WithToken or because
// it is the context of a request that a Handler has passed on, and whether
// there is one.
func TokenFromContext(ctx context.Context) (uint64, bool) {
	token, ok := ctx.Value(contextKey{}).(uint64)
	return token, ok
}

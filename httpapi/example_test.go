package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// A program of your own serves elections to programs in any language.
func ExampleNew() {
	kv := memory.New() // or a store that other servers share
	defer kv.Close()
	handler, err := httpapi.New(kv, httpapi.WithObserved(""))
	if err != nil {
		panic(err)
	}
	defer handler.Close()

	// One of them asks to win a round.
	answer := httptest.NewRecorder()
	ask := httptest.NewRequest(http.MethodGet, "/api/v1/elect/cleaning_scheduler/2020-10-18-0800", nil)
	ask.Header.Set(httpapi.NodeHeader, "node-a")
	handler.ServeHTTP(answer, ask)
	fmt.Println(answer.Code)
	// Output: 202
}

func ExampleNewServer() {
	kv := memory.New()
	defer kv.Close()
	handler, err := httpapi.New(kv)
	if err != nil {
		panic(err)
	}
	server := httpapi.NewServer("127.0.0.1:0", handler)
	listener, err := net.Listen("tcp", server.Addr)
	if err != nil {
		panic(err)
	}
	ended := make(chan error)
	go func() { ended <- server.Serve(listener) }()

	response, err := http.Get("http://" + listener.Addr().String() + "/alive")
	if err != nil {
		panic(err)
	}
	response.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	fmt.Println(response.Status)

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = handler.Close() // ends long polls and streams, for which Shutdown would wait
	fmt.Println(server.Shutdown(ctx))
	fmt.Println(errors.Is(<-ended, http.ErrServerClosed))
	// Output:
	// 200 OK
	// <nil>
	// true
}

// A handler is part of a larger one.
func ExampleHandler() {
	kv := memory.New()
	defer kv.Close()
	handler, err := httpapi.New(kv)
	if err != nil {
		panic(err)
	}
	defer handler.Close()
	mux := http.NewServeMux()
	mux.Handle("/leadership/", http.StripPrefix("/leadership", handler))

	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/leadership/alive", nil))
	fmt.Println(answer.Code)
	// Output: 200
}

func ExampleOption() {
	kv := memory.New()
	defer kv.Close()
	options := []httpapi.Option{
		httpapi.WithTokens([]string{"for-those-who-read"}, []string{"for-those-who-write"}),
		httpapi.WithTimeout(2 * time.Second),
	}
	handler, err := httpapi.New(kv, options...)
	if err != nil {
		panic(err)
	}
	defer handler.Close()
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/api/v1/elect/reports/1", nil))
	fmt.Println(answer.Code)

	_, err = httpapi.New(kv, httpapi.WithTokens(nil, []string{"short"}))
	fmt.Println(errors.Is(err, leadership.ErrInvalidArgument))
	// Output:
	// 401
	// true
}

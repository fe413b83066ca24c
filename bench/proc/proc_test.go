package proc

import (
	"net"
	"os"
	"testing"
	"time"
)

func TestReadsOfThisProcess(t *testing.T) {
	pid := os.Getpid()
	before, err := CPU(pid)
	if err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); ; {
		used, err := CPU(pid)
		if err != nil {
			t.Fatal(err)
		}
		if used > before {
			break
		}
		if time.Since(began) > 30*time.Second {
			t.Fatal("30 s of work have used no processor")
		}
	}
	if all, own, err := Resident(pid); own < 1<<16 || all <= own || all > 1<<32 || err != nil {
		t.Errorf("%d bytes are resident, of which %d are its own: %v", all, own, err)
	}
	if _, err := Load(); err != nil {
		t.Error(err)
	}
	if _, err := CPU(-1); err == nil {
		t.Error("there is a process -1")
	}
}

func TestConnectionsAreThoseOfTheProcess(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	before, err := Connections(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	dialed, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer dialed.Close()
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	// Both ends are of this process.
	if n, err := Connections(os.Getpid()); n != before+2 || err != nil {
		t.Errorf("%d connections after %d, %v", n, before, err)
	}
}

package servers

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports are taken from below the range from which Linux (32768 and up) and
// others (49152 and up) give ports to outgoing connections. Out of that range, a
// client that knocks at a stopped server's port now and then gets that very
// port for its own end, and the server cannot have it back.
const (
	lowestPort  = 15000
	highestPort = 32000
)

// errPortTaken means that somebody else got a port between its choice and its
// use.
var errPortTaken = errors.New("port taken")

// freePorts returns n different ports that nobody listens on right now.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range 1000 {
		if len(ports) == n {
			return ports, nil
		}
		port := lowestPort + rand.IntN(highestPort-lowestPort)
		l, err := listen(port)
		if err != nil {
			continue
		}
		defer l.Close() // held until all are found: none is found twice
		ports = append(ports, port)
	}
	return nil, fmt.Errorf("found no %d free ports from %d to %d", n, lowestPort, highestPort)
}

// checkFree returns errPortTaken if somebody listens on one of ports.
func checkFree(ports []int) error {
	for _, port := range ports {
		l, err := listen(port)
		if err != nil {
			return fmt.Errorf("%w: %w", errPortTaken, err)
		}
		l.Close()
	}
	return nil
}

func listen(port int) (net.Listener, error) {
	return net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
}

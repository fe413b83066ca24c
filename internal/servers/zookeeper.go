package servers

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
)

const (
	zooKeeperJar = "/usr/share/java/zookeeper.jar" // names the jars it needs by itself
	simpleLogger = "/usr/share/java/slf4j-simple.jar"

	// nettyJars are what the jar above does not name, and TLS needs. The package
	// that has the others has them too.
	nettyJars = "/usr/share/java/netty-codec.jar:/usr/share/java/netty-resolver.jar:" +
		"/usr/share/java/netty-transport-native-unix-common.jar"
)

var zooKeeperKind = kind{
	name:     "zookeeper",
	data:     []string{"data"},
	ports:    1,
	secure:   true,
	enforce:  lockZooKeeper,
	secrets:  joinZooKeeper,
	password: rekeyZooKeeper,
	find: func() (string, error) {
		if _, err := os.Stat(zooKeeperJar); err != nil {
			return "", err
		}
		return inPath("java")
	},
	setup: func(s *Server) error {
		port := "clientPort"
		var secure string
		if s.Secret != nil {
			port = "secureClientPort"
			if err := joinZooKeeper(s); err != nil {
				return err
			}
			secure = fmt.Sprintf("serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory\n"+
				"ssl.keyStore.location=%s\nssl.trustStore.location=%s\nssl.clientAuth=need\n"+
				"enforce.auth.enabled=true\nenforce.auth.schemes=digest\n", s.path("server.pem"), s.Secret.CA)
		}
		clients, session := 0, 4
		if s.kind.plain {
			clients, session = 60, 60 // ZooKeeper's default, and time for those that are silent
		}
		// 200 ms a tick: sessions live for 0.4 to 4 s.
		config := fmt.Sprintf("%sAddress=127.0.0.1\n%[1]s=%d\ndataDir=%s\ntickTime=200\n"+
			"maxClientCnxns=%d\nmaxSessionTimeout=%d000\nadmin.enableServer=false\n4lw.commands.whitelist=*\n%s", port, s.ports[0], s.path("data"), clients, session, secure)
		return os.WriteFile(s.path("zoo.cfg"), []byte(config), 0o644)
	},
	command: func(s *Server) *exec.Cmd {
		return exec.Command(s.program,
			// Small and quick to start rather than quick when warm.
			"-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
			"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
			"-cp", zooKeeperJar+":"+simpleLogger+":"+nettyJars,
			"org.apache.zookeeper.server.quorum.QuorumPeerMain", s.path("zoo.cfg"))
	},
	ready: func(ctx context.Context, s *Server) error {
		conn, err := dialZooKeeper(ctx, s)
		if err != nil {
			return err
		}
		// Unlike `ruok`, `srvr` has a mode to tell only once sessions are served.
		answer, err := askOver(ctx, conn, "srvr")
		if err == nil && !strings.Contains(answer, "Mode: standalone") {
			err = fmt.Errorf("its answer to srvr: %q", answer)
		}
		return err
	},
}

func dialZooKeeper(ctx context.Context, s *Server) (net.Conn, error) {
	if s.Secret == nil {
		return new(net.Dialer).DialContext(ctx, "tcp", s.hostport(0))
	}
	config, err := s.tlsOfClient()
	if err != nil {
		return nil, err
	}
	return (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", s.hostport(0))
}

// lockZooKeeper lets only the user of the Secret see and change what is under
// the root. The server takes any password: it is ACLs that tell users apart.
func lockZooKeeper(ctx context.Context, s *Server) error {
	return ownZooKeeper(ctx, s, "/", s.Secret.Password)
}

// rekeyZooKeeper has all nodes belong to the user with another password.
func rekeyZooKeeper(ctx context.Context, s *Server, password string) error {
	var rekey func(node string) error
	rekey = func(node string) error {
		if node == "/zookeeper" {
			return nil
		}
		names, err := listZooKeeper(ctx, s, node, password)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := rekey(strings.TrimSuffix(node, "/") + "/" + name); err != nil {
				return err
			}
		}
		return ownZooKeeper(ctx, s, node, password)
	}
	return rekey("/")
}

// joinZooKeeper writes the server's key and certificate into one file.
func joinZooKeeper(s *Server) error {
	return joinFiles(s.path("server.pem"), s.Secret.Key, s.Secret.Cert)
}

// joinFiles writes a file with what the others have.
func joinFiles(file string, others ...string) error {
	var all []byte
	for _, other := range others {
		part, err := os.ReadFile(other)
		if err != nil {
			return err
		}
		all = append(all, part...)
	}
	return os.WriteFile(file, all, 0o644)
}

// ZooKeeperHello returns what a client sends first, to begin a session.
func ZooKeeperHello() string {
	hello := make([]byte, 48)
	hello[3], hello[31] = 44, 16                    // the length of what follows, and of the password
	binary.BigEndian.PutUint32(hello[16:], 60*1000) // the session's timeout in ms
	return string(hello)
}

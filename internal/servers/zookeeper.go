package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

const (
	zooKeeperJar = "/usr/share/java/zookeeper.jar" // names the jars it needs by itself
	simpleLogger = "/usr/share/java/slf4j-simple.jar"
)

var zooKeeperKind = kind{
	name:  "zookeeper",
	ports: 1,
	find: func() (string, error) {
		if _, err := os.Stat(zooKeeperJar); err != nil {
			return "", err
		}
		return inPath("java")
	},
	setup: func(s *Server) error {
		// 200 ms a tick: sessions live for 0.4 to 4 s.
		config := fmt.Sprintf("clientPortAddress=127.0.0.1\nclientPort=%d\ndataDir=%s\ntickTime=200\n"+
			"maxClientCnxns=0\nadmin.enableServer=false\n4lw.commands.whitelist=*\n", s.ports[0], s.path("data"))
		return os.WriteFile(s.path("zoo.cfg"), []byte(config), 0o644)
	},
	command: func(s *Server) *exec.Cmd {
		return exec.Command(s.program,
			// Small and quick to start rather than quick when warm.
			"-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
			"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
			"-cp", zooKeeperJar+":"+simpleLogger,
			"org.apache.zookeeper.server.quorum.QuorumPeerMain", s.path("zoo.cfg"))
	},
	ready: func(ctx context.Context, s *Server) error {
		// Unlike `ruok`, `srvr` has a mode to tell only once sessions are served.
		answer, err := ask(ctx, s.hostport(0), "srvr")
		if err == nil && !strings.Contains(answer, "Mode: standalone") {
			err = fmt.Errorf("its answer to srvr: %q", answer)
		}
		return err
	},
}

package redis_test

import (
	"testing"

	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/internal/servers"
)

// TestClusterWithoutItsDataIsTakenUp: the folders of all its servers were emptied, one
// after the other; what they know of each other was kept.
func TestClusterWithoutItsDataIsTakenUp(t *testing.T) {
	for name, query := range map[string]string{"plain": "", "with a replica": "?replicas=1"} {
		t.Run(name, func(t *testing.T) {
			nodes := servers.RedisClusterWithReplicas(t, 1)
			electiontest.Recovers(t, opener(clusterURL(nodes)+query), func() {
				for _, node := range nodes {
					node.Wipe()
				}
			})
		})
	}
}

// TestMasterOfSentinelsWithoutItsDataIsTakenUp: its folder was emptied, and that of its
// replica. Whichever is the master after that has nothing.
func TestMasterOfSentinelsWithoutItsDataIsTakenUp(t *testing.T) {
	set := servers.RedisSentinel(t)
	electiontest.Recovers(t, opener(sentinelURL(set)), func() {
		set.Replica.Stop()
		set.Master.Wipe()
		set.Replica.Wipe()
	})
}

package servers

import (
	"context"
	"crypto/sha1" //nolint:gosec // ZooKeeper's digest
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// ownZooKeeper makes a node belong to the user of the Secret, who shows the
// present password and that one.
func ownZooKeeper(ctx context.Context, s *Server, node, password string) error {
	const setACL, all, anyVersion = 7, int32(31), int32(-1)
	login := s.Secret.User + ":" + password
	digest := sha1.Sum([]byte(login)) //nolint:gosec // as above
	_, err := askZooKeeper(ctx, s, setACL, loginsOfZooKeeper(s, password), node,
		int32(1), all, "digest", s.Secret.User+":"+base64.StdEncoding.EncodeToString(digest[:]), anyVersion)
	return err
}

// listZooKeeper returns the names of a node's children.
func listZooKeeper(ctx context.Context, s *Server, node, password string) ([]string, error) {
	const getChildren = 8
	answer, err := askZooKeeper(ctx, s, getChildren, loginsOfZooKeeper(s, password), node, false)
	if err != nil || len(answer) < 4 {
		return nil, err
	}
	var names []string
	for rest := answer[4:]; rest != "" && err == nil; { // after their number
		var name string
		name, rest, err = cutString(rest)
		names = append(names, name)
	}
	return names, err
}

func loginsOfZooKeeper(s *Server, password string) []string {
	return []string{s.Secret.User + ":" + s.Secret.Password, s.Secret.User + ":" + password}
}

// askZooKeeper opens a session, logs in, makes one request, and returns the
// answer's body. Its protocol has frames, of a length and a record; a request's
// begins with its number and what it asks for, an answer's with that number, a
// transaction (8 bytes) and an error.
func askZooKeeper(ctx context.Context, s *Server, operation int32, logins []string, body ...any) (string, error) {
	const number, auth, end = int32(1), int32(100), int32(-11)
	question := record(record(int32(0), int64(0), int32(4000), int64(0), strings.Repeat("\x00", 16), false))
	for _, login := range logins {
		question += record(record(int32(-4), auth, int32(0), "digest", login))
	}
	question += record(record(number, operation) + record(body...))
	question += record(record(int32(2), end))
	conn, err := dialZooKeeper(ctx, s)
	if err != nil {
		return "", err
	}
	answer, err := askOver(ctx, conn, question)
	if err != nil {
		return "", err
	}
	_, rest, err := cutString(answer) // the session
	for err == nil {
		var frame string
		if frame, rest, err = cutString(rest); err == nil && len(frame) >= 16 && frame[:4] == record(number) {
			if failure := frame[12:16]; failure != record(int32(0)) {
				return "", fmt.Errorf("its answer to operation %d: error %d", operation, int32(binary.BigEndian.Uint32([]byte(failure)))) //nolint:gosec // negative ones are meant
			}
			return frame[16:], nil
		}
	}
	return "", fmt.Errorf("its answer to operation %d: %q: %w", operation, answer, err)
}

// record encodes values as ZooKeeper does: a string goes after its length.
func record(values ...any) string {
	var b []byte
	for _, v := range values {
		if s, ok := v.(string); ok {
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
		} else {
			b, _ = binary.Append(b, binary.BigEndian, v) // numbers and bools only
		}
	}
	return string(b)
}

// cutString takes a string from the beginning of a record.
func cutString(record string) (s, rest string, err error) {
	if len(record) < 4 || len(record)-4 < int(binary.BigEndian.Uint32([]byte(record[:4]))) {
		return "", "", errors.New("it is cut short")
	}
	n := 4 + int(binary.BigEndian.Uint32([]byte(record[:4])))
	return record[4:n], record[n:], nil
}

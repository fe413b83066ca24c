#!/bin/sh
# Runs each fuzz test of all modules for a while, one after the other, and tells in a line
# what became of it. It fails after a finding, whose input Go has put into testdata/fuzz of
# the package: it is kept there, and every later run of the tests repeats it.
#
#	FUZZTIME=1m  how long each runs
#	FUZZ=.       a regular expression of the tests to run, as folder/name
set -u
cd "$(dirname "$0")/../.."
go=${GO:-go}
time=${FUZZTIME:-1m}
workspace=$("$go" list -f '{{.Dir}}' -m) || exit 1
output=$(mktemp)
trap 'rm -f "$output"' EXIT
failed=0
found=$(grep -rE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*\(' . | sed -E 's|/[^/]*_test.go:func (Fuzz[A-Za-z0-9_]*)\(.*|/\1|' | sort | grep -E -- "${FUZZ:-.}")
if [ -z "$found" ]; then
	echo "there is no fuzz test like FUZZ=${FUZZ:-}"
	exit 1
fi
for test in $found; do
	dir=$(dirname "$test") name=$(basename "$test")
	module=$dir
	until [ -e "$module/go.mod" ]; do module=$(dirname "$module"); done
	work=
	echo "$workspace" | grep -qxF "$(cd "$module" && pwd)" || work=GOWORK=off
	began=$(date +%s)
	(cd "$dir" && env $work "$go" test -run '^$' -fuzz "^$name\$" -fuzztime "$time" .) > "$output" 2>&1
	ended=$?
	told=$(grep -E '^fuzz: elapsed' "$output" | tail -1 | sed -E 's/^fuzz: elapsed: [^,]*, (execs: [0-9]+) .*(new interesting.*)/\1, \2/')
	if [ $ended -eq 0 ]; then
		echo "ok    $dir $name: $(($(date +%s) - began))s, $told"
		continue
	fi
	failed=1
	echo "FAIL  $dir $name: $(($(date +%s) - began))s, $told"
	sed 's/^/      /' "$output" | grep -v 'fuzz: elapsed'
	input=$(sed -nE 's/.*Failing input written to testdata\/fuzz\/(.*)/\1/p' "$output")
	echo "      again: cd $dir && ${work:+$work }go test -run '${input:-$name}\$' ."
done
exit $failed

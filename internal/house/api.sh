#!/bin/sh
# Compares the exported names of all public packages with those of a commit or tag:
# api.sh BASE
set -eu
base=${1:?which commit or tag to compare with}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/base"
git archive "$base" | tar -x -C "$dir/base"
GOBIN=$dir "${GO:-go}" install golang.org/x/exp/cmd/apidiff@v0.0.0-20261113113407-e3970619a1a4

packages() {
	"${GO:-go}" list -f '{{if ne .Name "main"}}{{.ImportPath}}{{end}}' github.com/seed-a1d591d3/leadership/... | grep -v /internal/ | sort
}
packages > "$dir/now"
(cd "$dir/base" && packages > "$dir/then")
comm -23 "$dir/now" "$dir/then" | sed 's/$/: new/'
comm -13 "$dir/now" "$dir/then" | sed 's/$/: gone/'
for p in $(comm -12 "$dir/now" "$dir/then"); do
	(cd "$dir/base" && "$dir/apidiff" -w "$dir/export" "$p")
	"$dir/apidiff" "$dir/export" "$p" > "$dir/changes"
	if [ -s "$dir/changes" ]; then
		echo "$p:"
		sed 's/^/  /' "$dir/changes"
	fi
done

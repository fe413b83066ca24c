#!/bin/sh
# Installs what the tests need and this machine lacks, without asking: the servers
# that they start, of which none is running afterwards, a browser for the page and axe,
# which checks that all can use it, two solvers for the proof, promtool for the alerts, and what Go's race detector needs. Quick when there is nothing to do.
set -eu

consul_version=1.21.0
axe_version=4.14.1
axe_sha512=1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b734f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5
here=$(cd "$(dirname "$0")" && pwd)

say() { echo "servers: $*"; }
has() { command -v "$1" >/dev/null 2>&1; }

# The packages of what is missing.
packages=
need() { packages="$packages $1"; }
has etcd || need etcd-server
has etcdctl || need etcd-client
has redis-server || need redis-server
has java || need default-jre-headless
[ -e /usr/share/java/zookeeper.jar ] || need zookeeper
has initdb || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || need postgresql
has mariadbd || [ -x /usr/sbin/mariadbd ] || need mariadb-server-core
has make || need make
has gcc || has cc || need gcc
[ "$(uname -s)" != Linux ] || [ -e /usr/include/stdlib.h ] || need libc6-dev
has python3 || need python3
has curl || need curl
has openssl || need openssl
has systemd-analyze || need systemd
has chromium || has chromium-browser || has google-chrome || need chromium
has z3 || need z3
has cvc5 || need cvc5
has promtool || need prometheus
has pgbouncer || [ -x /usr/sbin/pgbouncer ] || need pgbouncer

install_packages() {
	if ! has apt-get; then
		say "this is neither Debian nor Ubuntu. Install by hand what goes by these names there:$packages" >&2
		exit 1
	fi
	sudo=
	if [ "$(id -u)" != 0 ]; then
		if ! has sudo; then
			say "become root and run: apt-get install$packages" >&2
			exit 1
		fi
		sudo=sudo
	fi

	# Debian starts a service as it installs it, unless this file says no.
	policy=/usr/sbin/policy-rc.d
	saved=$policy.leadership-saved
	restore() {
		$sudo rm -f "$policy"
		if [ -e "$saved" ]; then $sudo mv "$saved" "$policy"; fi
	}
	trap restore EXIT
	trap 'exit 1' HUP INT TERM
	if [ -e "$policy" ] && ! [ -e "$saved" ]; then $sudo mv "$policy" "$saved"; fi
	printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
	$sudo chmod 755 "$policy"

	say "installing$packages"
	$sudo apt-get -qq update
	# shellcheck disable=SC2086 # one word a package
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
		-o Dpkg::Use-Pty=0 install $packages >/dev/null

	# Nor are they to start with the machine.
	if [ -d /run/systemd/system ]; then
		for p in $packages; do
			case $p in
			etcd-server) unit=etcd ;;
			redis-server | postgresql | pgbouncer | prometheus) unit=$p ;;
			*) continue ;;
			esac
			$sudo systemctl --quiet disable "$unit" || true
		done
	fi
}

case $(uname -s) in # as Go's os.UserCacheDir has it
Darwin) cache=$HOME/Library/Caches/leadership ;;
*) cache=${XDG_CACHE_HOME:-$HOME/.cache}/leadership ;;
esac

build_consul() {
	consul=$cache/consul-$consul_version/consul
	[ -x "$consul" ] && return
	say "building Consul $consul_version, once: some 10 minutes on two cores"
	mkdir -p "$(dirname "$consul")"
	(
		cd "$here/consul"
		export GOWORK=off
		# One line where go prints one for each of some 400 modules.
		say "downloading its modules"
		go list -deps github.com/hashicorp/consul >/dev/null 2>"$consul.log" ||
			{ cat "$consul.log" >&2; exit 1; }
		say "compiling"
		go build -trimpath -ldflags='-s -w' -o "$consul.new" github.com/hashicorp/consul
	)
	rm -f "$consul.log"
	mv "$consul.new" "$consul"
	say "built $consul"
}

fetch_axe() {
	say "fetching axe-core $axe_version"
	new=$cache/axe-$axe_version.new
	rm -rf "$new"
	mkdir -p "$new"
	npm pack --silent --pack-destination "$new" "axe-core@$axe_version" >/dev/null
	file=$new/axe-core-$axe_version.tgz
	if [ "$(python3 -c 'import hashlib, sys; print(hashlib.sha512(open(sys.argv[1], "rb").read()).hexdigest())' "$file")" != "$axe_sha512" ]; then
		say "axe-core $axe_version is not what it was: $file" >&2
		exit 1
	fi
	tar -xzf "$file" -C "$new" package/axe.min.js
	mkdir -p "$(dirname "$axe")"
	mv "$new/package/axe.min.js" "$axe"
	rm -rf "$new"
}

axe=$cache/axe-$axe_version/axe.min.js
[ -e "$axe" ] || has npm || need npm
if [ -n "$packages" ]; then install_packages; fi
has consul || build_consul
[ -e "$axe" ] || fetch_axe
say "etcd, Consul, ZooKeeper, Redis, PostgreSQL, MariaDB, Chromium, axe, z3, cvc5 and promtool are there"

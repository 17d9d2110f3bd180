#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# usage: deps.sh GROUP...
# Installs the Debian packages of these groups that are missing: build, check, test, demo,
# vmtest, lint, fuzz.
# Does nothing, and needs no root, when all are there.
set -eu

build="gcc clang llvm make pkg-config libc6-dev linux-libc-dev libbpf-dev libelf-dev zlib1g-dev
	bpftool libjansson-dev libsmartcols-dev libcurl4-openssl-dev libhttp-parser-dev
	libsystemd-dev libyaml-dev libmnl-dev"
demo="nginx-light wrk curl iproute2 util-linux procps"
check="libcmocka-dev openssl"
test="$demo $check python3 python3-pytest haproxy nodejs redis-server redis-tools
	apache2-utils hey ethtool systemd man-db"
vmtest="kmod file udev python3 util-linux"
case $(uname -m) in
aarch64) vmtest="$vmtest qemu-system-arm" ;;
*) vmtest="$vmtest qemu-system-x86" ;;
esac
lint="clang-format cppcheck shellcheck git"
fuzz="clang libclang-rt-dev"

wanted=
[ $# != 0 ] || set -- ""
for group; do
	case $group in
	build) wanted="$wanted $build" ;;
	test) wanted="$wanted $test" ;;
	check) wanted="$wanted $check" ;;
	demo) wanted="$wanted $demo" ;;
	vmtest) wanted="$wanted $vmtest" ;;
	lint) wanted="$wanted $lint" ;;
	fuzz) wanted="$wanted $fuzz" ;;
	*)
		echo "$0: no group '$group', expected build, check, test, demo, vmtest, lint, fuzz" >&2
		exit 1
		;;
	esac
done

# Where another source of a program is in use already, its package is not needed.
provided() {
	case $1 in
	nodejs) command -v node >/dev/null ;;
	*) return 1 ;;
	esac
}

missing=
for package in $wanted; do
	dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
		provided "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "these packages are missing; install them, or run this as root:$missing" >&2
	exit 1
fi

# Servers are for tests only: none may start because its package arrives.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
	trap 'rm -f $policy' EXIT
	trap 'exit 1' INT TERM
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
# shellcheck disable=SC2086 # a list of words
apt-get -q install -y --no-install-recommends $missing

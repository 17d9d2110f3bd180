# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Fetches Debian's kernels, and virtme-ng, into build/vmtest without installing
# anything. apt reads other releases than the system's in a directory of its own;
# mirrors are those the system uses, signatures are checked as always.

cache=build/vmtest

# The Debian release a kernel belongs to.
kernel_suite() {
	case $1 in
	5.10) echo bullseye ;;
	6.1) echo bookworm ;;
	6.12) echo trixie ;;
	sid) echo sid ;;
	*) return 1 ;;
	esac
}

kernel_is_known() {
	kernel_suite "$1" >/dev/null && return
	echo "vmtest: no kernel '$1'; known are 5.10, 6.1, 6.12 and sid (the newest)" >&2
	return 1
}

# What is already unpacked stays until `make clean`.
kernel_fetch() {
	local root=$cache/$1/root suite package

	[ ! -e "$root" ] || return 0
	suite=$(kernel_suite "$1")
	archive_open "$suite" || return 1
	# The generic image; the cloud one has no 9p, which the guest's root is on.
	package=$(archive_apt "$suite" apt-cache show --no-all-versions \
		"linux-image-$(dpkg --print-architecture)" |
		sed -nE 's/^Depends: (linux-image-[^ ,]+).*/\1/p')
	archive_unpack "$suite" "$root.new" "$package" || return 1
	# Newer packages have /usr/lib only; depmod and virtme look in /lib.
	[ -e "$root.new/lib" ] || ln -s usr/lib "$root.new/lib"
	depmod -b "$root.new" "$(kernel_release "$root.new")" || return 1
	mv "$root.new" "$root"
	archive_close "$suite"
}

# 6.1.0-50-amd64 and the like
kernel_release() {
	local modules=("$1"/lib/modules/*)

	echo "${modules[0]##*/}"
}

# The static busybox is for virtme's initial file system; installed, it would
# replace the ordinary one.
virtme_fetch() {
	local root=$cache/virtme-ng

	[ ! -e $root ] || return 0
	archive_open trixie && archive_unpack trixie $root.new virtme-ng busybox-static &&
		mv $root.new $root && archive_close trixie
}

# ---- one release's archive

archive_apt() {
	local suite=$1

	shift
	"$1" -c "$PWD/$cache/apt/$suite/apt.conf" "${@:2}"
}

# The mirror that the system gets packages of this label from.
archive_mirror() {
	# shellcheck disable=SC2016 # apt's variable
	apt-get indextargets --format '$(REPO_URI)' "Label: $1" 'Origin: Debian' 'Component: main' \
		'Identifier: Packages' | head -n 1
}

archive_open() {
	local directory=$PWD/$cache/apt/$1

	mkdir -p "$directory/lists/partial" "$directory/archives/partial"
	: >"$directory/status"
	archive_sources "$1" >"$directory/sources.list" || return 1
	archive_configuration "$directory" >"$directory/apt.conf"
	echo "vmtest: reading what Debian $1 has"
	archive_update "$1" && return
	# A system older than the release may not know its key yet; the newest
	# keyring of the system's own release does.
	keyring_fetch && archive_sources "$1" >"$directory/sources.list" && archive_update "$1" &&
		return
	echo "vmtest: cannot read Debian $1, see $directory/log" >&2
	return 1
}

archive_update() {
	archive_apt "$1" apt-get -q update -o APT::Update::Error-Mode=any \
		>"$cache/apt/$1/log" 2>&1
}

archive_sources() {
	local main security signed

	signed="[signed-by=$(keyring)]"
	main=$(archive_mirror Debian)
	security=$(archive_mirror Debian-Security)
	if [ -z "$main" ]; then
		echo "vmtest: apt knows no Debian mirror; run apt-get update" >&2
		return 1
	fi
	echo "deb $signed $main $1 main"
	[ "$1" = sid ] || [ -z "$security" ] || echo "deb $signed $security $1-security main"
}

# Beside the directories: no hooks of the system's, which would work on its own lists.
archive_configuration() {
	cat <<-CONFIGURATION
		Dir::State "$1";
		Dir::State::status "$1/status";
		Dir::Cache "$1";
		Dir::Etc::SourceList "$1/sources.list";
		Dir::Etc::SourceParts "/dev/null";
		APT::Sandbox::User "root";
		#clear APT::Update;
		#clear DPkg;
	CONFIGURATION
}

# archive_unpack SUITE DIRECTORY PACKAGE...
archive_unpack() {
	local apt=$cache/apt/$1 root=$2 package

	shift 2
	echo "vmtest: fetching $*"
	rm -rf "$root" "$apt"/*.deb
	mkdir -p "$root"
	if ! (cd "$apt" && apt-get -c "$PWD/apt.conf" -q download "$@") >>"$apt/log" 2>&1; then
		echo "vmtest: cannot fetch $*, see $apt/log" >&2
		return 1
	fi
	for package in "$apt"/*.deb; do
		dpkg -x "$package" "$root" || return 1
	done
}

archive_close() {
	rm -rf "$cache/apt/$1"
	rmdir --ignore-fail-on-non-empty "$cache/apt"
}

# ---- keys

keyring() {
	local name=usr/share/keyrings/debian-archive-keyring.gpg

	if [ -e "$cache/keyring/$name" ]; then
		echo "$PWD/$cache/keyring/$name"
	else
		echo "/$name"
	fi
}

keyring_fetch() (
	rm -rf $cache/keyring
	mkdir -p $cache/keyring
	cd $cache/keyring && apt-get -q -o APT::Sandbox::User=root download debian-archive-keyring \
		>/dev/null && dpkg -x ./*.deb .
)

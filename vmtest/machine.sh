# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# One virtual machine. Its root is this system's, read only; build/vmtest/KERNEL/share
# is writable, and the only way results come out: virtme's own exit status does
# not reach us reliably.

# shellcheck source=vmtest/kernel.sh
. vmtest/kernel.sh

machine=  # the process, and process group, of the one that runs
emulated= # yes or no, once machine_probe found out

# Is there a KVM that works? The device may exist and hang, so a kernel has to run
# on it: without a root it panics, and the machine ends, within a second or two.
machine_probe() {
	local root=$cache/$1/root qemu

	[ -z "$emulated" ] || return 0
	emulated=yes
	[ -w /dev/kvm ] || return 0
	case $(uname -m) in
	aarch64) qemu="qemu-system-aarch64 -machine virt,gic-version=host" ;;
	*) qemu=qemu-system-$(uname -m) ;;
	esac
	# A shell of its own, as it would say that qemu was aborted.
	# shellcheck disable=SC2086 # words
	(timeout -k 1 10 $qemu -accel kvm -cpu host -m 512 -nodefaults -display none -no-reboot \
		-kernel "$root/boot/vmlinuz-$(kernel_release "$root")" -append panic=-1; exit) \
		</dev/null >/dev/null 2>&1 && emulated=no
	return 0
}

# Without KVM everything takes ten times as long, and more when others use the machine.
machine_limit() {
	echo "${VMTEST_LIMIT:-$([ "$emulated" = yes ] && echo 1500 || echo 300)}"
}

# Prints virtme-run's command line for a kernel, a word a line.
machine_command() {
	local directory=$PWD/$cache/$1 packages=$PWD/$cache/virtme-ng/usr release

	release=$(kernel_release "$directory/root")
	printf '%s\n' env "PYTHONPATH=$packages/lib/python3/dist-packages" \
		"$packages/bin/virtme-run" --busybox "$packages/bin/busybox" \
		--kimg "$directory/root/boot/vmlinuz-$release" --mods auto --memory 2G --cpus 2 \
		--force-9p --disable-microvm \
		--overlay-rwdir /tmp --rwdir "$directory/share=$directory/share"
	[ "$emulated" = no ] || echo --disable-kvm
}

# Starts guest.sh on a kernel. `timeout` makes a process group of everything.
machine_start() {
	local share=$PWD/$cache/$1/share command limit

	mapfile -t command < <(machine_command "$1")
	limit=$(machine_limit)
	mkdir "$share/tmp"
	TMPDIR=$share/tmp timeout -k 10 "$limit" "${command[@]}" --verbose --show-boot-console \
		--script-sh "exec '$PWD/vmtest/guest.sh' run '$1' $emulated" \
		</dev/null >"$share/console.log" 2>&1 &
	machine=$!
}

# timeout's status: 124 or 137 if the machine had to be killed.
machine_wait() {
	local status

	wait "$machine"
	status=$?
	machine_stop
	return $status
}

machine_stop() {
	[ -n "$machine" ] || return 0
	kill "$machine" 2>/dev/null && wait "$machine"
	kill -KILL -- "-$machine" 2>/dev/null
	machine=
	rm -rf $cache/*/share/tmp
}

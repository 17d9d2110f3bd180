#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Becomes systemd, as PID 1. For namespaces of their own (PID, mount, cgroup, IPC, UTS, and a
# network): the root is the machine's, and every change to it is kept in memory.
set -eu

mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
for directory in etc usr var; do
	changes=/run/changes/$directory
	mkdir -p $changes/upper $changes/work
	mount -t overlay -o "lowerdir=/$directory,upperdir=$changes/upper,workdir=$changes/work" \
		machine /$directory
done

# Settings of the kernel as a whole stay as they are.
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys

umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup

# systemd and the journal make files here.
mkdir -p /run/dev/pts /run/dev/shm
for device in null zero full random urandom tty; do
	touch /run/dev/$device
	mount --bind /dev/$device /run/dev/$device
done
mount -t tmpfs -o mode=755 tmpfs /run/dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts /run/dev/pts
ln -s pts/ptmx /run/dev/ptmx
mount --rbind /run/dev /dev

# Nothing of the machine's own units: targets that others want, the journal, and bgswitch.
mkdir /run/units
for target in machine sysinit basic network multi-user shutdown; do
	printf '[Unit]\nDefaultDependencies=no\n' >/run/units/$target.target
done
printf 'Wants=%s\nAfter=%s\n' systemd-journald.service systemd-journald.service \
	>>/run/units/machine.target
cp /lib/systemd/system/systemd-journald.service /lib/systemd/system/systemd-journald.socket \
	/run/units/
ln -s /usr/lib/systemd/system/bgswitch.service /run/units/

rm -rf /etc/bgswitch /etc/systemd/system/bgswitch.service* /var/lib/bgswitch
# As outside of containers: what is mounted for a unit, credentials, is seen by that unit.
mount --make-rshared /
exec env -i PATH="$PATH" container=test SYSTEMD_UNIT_PATH=/run/units \
	SYSTEMD_GENERATOR_PATH=/run/no-generators \
	setpriv --bounding-set=-sys_time,-sys_module,-sys_boot \
	/lib/systemd/systemd --system --unit=machine.target

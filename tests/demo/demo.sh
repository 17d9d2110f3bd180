#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The main job for real: two nginx, clients that never stop asking, and a switch
# between them. Runs in network, mount and process namespaces of its own, which
# end with it, Ctrl-C included: the machine's own configuration is not touched.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
bgswitch=$here/build/bgswitch

if [ "${1:-}" != inside ]; then
	[ "$(id -u)" = 0 ] || {
		echo "the demo makes network namespaces and loads BPF programs: run it as root" >&2
		exit 1
	}
	exec unshare --net --mount --propagation unchanged --pid --fork --kill-child "$0" inside
fi

# What we mount is for this namespace only. In a chroot / may be no mount point:
# then the mounts that can be seen there are made private one by one.
mount --make-rprivate / 2>/dev/null || while read -r _ where _; do
	mount --make-private "$where"
done </proc/self/mounts
mount -t proc proc /proc

host4=10.99.0.1 host6=fd99::1
flips=200
export PATH=$PATH:/usr/sbin:/sbin
# The private bpffs is mounted by attach itself where none is.
mount -t tmpfs tmpfs /run
work=/run/demo
mkdir -p $work
declare -A server port=([blue]=8081 [green]=8082)

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
else
	bold='' dim='' plain=''
fi

chapter() {
	printf '\n%s%s%s\n' "$bold" "$1" "$plain"
}

# A command as a person would type it, with what it prints.
show() {
	printf '%s# %s%s\n' "$dim" "$*" "$plain"
	"$@"
}

bgswitch() {
	"$bgswitch" "$@"
}

fail() {
	echo "demo: $1" >&2
	exit 1
}

client() {
	nsenter --net=/run/netns/client "$@"
}

now_us() {
	echo "${EPOCHREALTIME/[.,]/}"
}

# Tries a condition until it is true, for at most ten seconds.
wait_for() {
	local what=$1 end=$((SECONDS + 10))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || fail "waited in vain for $what"
		sleep 0.01
	done
}

build_network() {
	ip link set lo up
	ip netns add client
	ip link add eth0 type veth peer name eth0 netns client
	ip addr add $host4/24 dev eth0
	ip addr add $host6/64 dev eth0 nodad
	ip link set eth0 up
	client ip addr add 10.99.0.2/24 dev eth0
	client ip addr add fd99::2/64 dev eth0 nodad
	client ip link set eth0 up
	client ip link set lo up
}

start_server() {
	local color=$1 directory=$work/$1
	mkdir -p "$directory"
	cat >"$directory/nginx.conf" <<-EOF
		daemon off;
		master_process off;
		pid $directory/pid;
		error_log $directory/error.log;
		events { worker_connections 1024; }
		http {
		    access_log off;
		    keepalive_requests 2000;
		    client_body_temp_path $directory/t1;
		    proxy_temp_path $directory/t2;
		    fastcgi_temp_path $directory/t3;
		    uwsgi_temp_path $directory/t4;
		    scgi_temp_path $directory/t5;
		    server {
		        listen ${port[$color]} backlog=4096;
		        listen [::]:${port[$color]} backlog=4096;
		        location / { return 200 "$color\n"; }
		    }
		}
	EOF
	nginx -c "$directory/nginx.conf" -e "$directory/error.log" &
	server[$color]=$!
	wait_for "nginx $color" listens "${port[$color]}"
}

listens() {
	[ -n "$(ss -Htln "sport = :$1")" ]
}

# Connections that the process of a color serves; only it can tell, for both
# colors' connections carry the service's port.
connections_of() {
	ss -Htnp state established "sport = :80" | grep -c "pid=${server[$1]}," || true
}

has_some() {
	[ "$(connections_of "$1")" -ge 16 ]
}

has_none() {
	[ "$(connections_of "$1")" = 0 ]
}

answering_color() {
	client curl -sS --max-time 5 http://$host4/
}

start_load() {
	local load_seconds=$1

	client wrk -t1 -c16 -d"${load_seconds}s" http://$host4:80/ >$work/keep4 &
	client wrk -t1 -c8 -d"${load_seconds}s" http://[$host6]:80/ >$work/keep6 &
	client wrk -t1 -c8 -d"${load_seconds}s" -H "Connection: close" http://$host4:80/ >$work/new4 &
	client wrk -t1 -c8 -d"${load_seconds}s" -H "Connection: close" http://[$host6]:80/ >$work/new6 &
	loads=$(jobs -p | tail -4)
	wait_for "load on blue" has_some blue
}

end_load() {
	# shellcheck disable=SC2086 # a list of process numbers
	wait $loads
}

requests() {
	awk '/requests in/ { sum += $1 } END { print sum + 0 }' "$@"
}

# wrk prints these lines only if something went wrong.
errors() {
	awk '/Socket errors:/ { gsub(",", ""); sum += $4 + $6 + $8 + $10 }
		/Non-2xx/ { sum += $NF } END { print sum + 0 }' "$@"
}

chapter "Two versions, one address"
build_network
start_server blue
start_server green
echo "blue: nginx on :8081, green: nginx on :8082, clients in a namespace of their own ask $host4:80 and [$host6]:80"
show bgswitch attach eth0
echo "a client gets: $(answering_color)"

chapter "Four wrk put load on it: kept and new connections, IPv4 and IPv6"
start_load 15
echo "blue serves $(connections_of blue) connections now"

chapter "The switch"
begin=$(now_us)
show bgswitch set green
flip_us=$(($(now_us) - begin))
[ "$(answering_color)" = green ] || fail "a connection after the flip reached blue"
old=$(connections_of blue)
echo "$((flip_us / 1000)).$((flip_us % 1000 / 100)) ms; new connections get: green; $old older ones stay with blue until they end"
wait_for "blue's connections to end" has_none blue
drain_us=$(($(now_us) - begin))
echo "after $((drain_us / 1000)) ms blue serves none: stopping blue"
kill -QUIT "${server[blue]}"
wait "${server[blue]}" || true
start_server blue
echo "a new blue was started; nobody had to tell bgswitch"

chapter "$flips more switches under the same load"
right=0
for ((i = 0; i < flips; i++)); do
	color=blue
	((i % 2)) && color=green
	bgswitch -q set $color
	if [ "$(answering_color)" = $color ]; then right=$((right + 1)); fi
done
end_load
answered=$(requests $work/keep4 $work/keep6 $work/new4 $work/new6)
failed=$(errors $work/keep4 $work/keep6 $work/new4 $work/new6)
echo "done"

chapter "The active server dies: kill -9 green"
kill -9 "${server[green]}"
wait "${server[green]}" 2>/dev/null || true
saved=0
for ((i = 0; i < 100; i++)); do
	if [ "$(answering_color)" = blue ]; then saved=$((saved + 1)); fi
done
echo "$saved of 100 connections after it were served by blue, without any command"
start_server green
echo "green is back, a client gets: $(answering_color)"
show bgswitch status

chapter "And away with it"
show bgswitch detach all
[ ! -e /sys/fs/bpf/bgswitch ] || fail "pins are left in /sys/fs/bpf/bgswitch"

chapter "Result"
cat <<EOF
  $(printf '%8d' "$answered")  requests answered during $((flips + 1)) switches ($(requests $work/new4 $work/new6) of them on new connections)
  $(printf '%8d' "$failed")  failed
  $(printf '%8d' $((flips + 1)))  switches, after $((right + 1)) of them the very next connection got the new color
  $(printf '%8d' $((100 - saved)))  connections refused after kill -9
EOF
if [ "$failed" != 0 ] || [ $right != $flips ] || [ $saved != 100 ]; then
	fail "this is not what bgswitch promises"
fi

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The main job for real: two nginx, clients that never stop asking, an agent that
# watches, and switches between them: old versions are killed once they are safe to
# stop, and a bad release takes itself back. Runs in network, mount and process
# namespaces of its own, which end with it, Ctrl-C included: the machine's own
# configuration is not touched.
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
flips=60 cycles=5 idlers=8
export PATH=$PATH:/usr/sbin:/sbin
# The private bpffs is mounted by attach itself where none is.
mount -t tmpfs tmpfs /run
work=/run/demo
mkdir -p $work
export BGSWITCH_STATE_DIR=$work/state
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

# A server answers checks with what stands in its file `health`: a release that is bad from
# some moment on is one whose file goes.
start_server() {
	local color=$1 directory=$work/$1
	mkdir -p "$directory"
	echo "$color is well" >"$directory/health"
	cat >"$directory/nginx.conf" <<-EOF
		daemon off;
		master_process off;
		pid $directory/pid;
		error_log $directory/error.log;
		events { worker_connections 1024; }
		http {
		    access_log off;
		    keepalive_requests 500;
		    client_body_temp_path $directory/t1;
		    proxy_temp_path $directory/t2;
		    fastcgi_temp_path $directory/t3;
		    uwsgi_temp_path $directory/t4;
		    scgi_temp_path $directory/t5;
		    server {
		        listen ${port[$color]} backlog=4096;
		        listen [::]:${port[$color]} backlog=4096;
		        location / { return 200 "$color\n"; }
		        location = /health { root $directory; error_page 404 = @bad; }
		        location @bad { return 500 "out of order\n"; }
		    }
		}
	EOF
	nginx -c "$directory/nginx.conf" -e "$directory/error.log" &
	server[$color]=$!
	wait_for "nginx $color" listens "${port[$color]}"
}

# No time for a last word.
kill_server() {
	kill -9 "${server[$1]}"
	wait "${server[$1]}" 2>/dev/null || true
}

# What a release does to the color that has no traffic any more.
replace_server() {
	kill_server "$1"
	start_server "$1"
}

# Clients that ask once and keep their connections; each then says how its connection ended.
start_idlers() {
	# shellcheck disable=SC2016 # for the inner shell
	client bash -c '
		for ((i = 0; i < $2; i++)); do
			exec {fd}<>/dev/tcp/$1/80
			printf "GET / HTTP/1.1\r\nHost: $1\r\n\r\n" >&$fd
			read -r _ <&$fd && fds+=($fd)
		done
		echo ready
		for fd in "${fds[@]}"; do
			cat <&$fd >/dev/null && echo FIN || echo reset
		done' bash $host4 $idlers >$work/idlers 2>&1 &
	idlers_pid=$!
}

configure() {
	cat >$work/web.yaml <<EOF
attach: [eth0]
services:
  web:
    listen: ":80"
    blue: ":${port[blue]}"
    green: ":${port[green]}"
    soak: 2s
    check: {path: /health, interval: 500ms, fast_interval: 100ms}
EOF
}

start_agent() {
	"$bgswitch" agent -c $work/web.yaml 2>>$work/agent.log &
	agent=$!
}

kill_agent() {
	kill -9 "$agent"
	wait "$agent" 2>/dev/null || true
}

active() {
	bgswitch status | awk '$3 == "active" { print $2 } $2 == "active" { print $1 }'
}

is_active() {
	[ "$(active)" = "$1" ]
}

is_healthy() {
	bgswitch status 2>/dev/null | grep -qE "$1 .* yes +[0-9]+ +healthy"
}

# While an agent starts, it is told to try again.
switch_to() {
	bgswitch -q set "$1" --no-wait --force 2>/dev/null
}

# Nothing has moved, after a switch that ended with this exit code.
expect_green() {
	echo "exit code $code; a client gets: $(answering_color)"
	[ "$code" = "$1" ] || fail "expected exit code $1"
	[ "$(answering_color)" = green ] || fail "the bad release has the traffic"
}

milliseconds() {
	local now=$EPOCHREALTIME
	echo $((${now%[.,]*} * 1000 + 10#${now#*[.,]} / 1000))
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

idle() {
	grep -q ready $work/idlers
}

answering_color() {
	client curl -sS --max-time 5 http://$host4/
}

# The process itself, so that it gets SIGINT: then it ends well and says what it saw.
load() {
	local report=$work/$1
	shift
	exec nsenter --net=/run/netns/client wrk -t1 -d10m "$@" >"$report"
}

# Until end_load.
start_load() {
	loads=()
	load keep4 -c16 http://$host4:80/ & loads+=($!)
	load keep6 -c8 http://[$host6]:80/ & loads+=($!)
	load new4 -c8 -H "Connection: close" http://$host4:80/ & loads+=($!)
	load new6 -c8 -H "Connection: close" http://[$host6]:80/ & loads+=($!)
	wait_for "load on blue" has_some blue
}

end_load() {
	kill -INT "${loads[@]}"
	wait "${loads[@]}"
}

requests() {
	awk '/requests in/ { sum += $1 } END { print sum + 0 }' "$@"
}

# wrk prints these lines only if something went wrong.
errors() {
	awk '/Socket errors:/ { gsub(",", ""); sum += $4 + $6 + $8 + $10 }
		/Non-2xx/ { sum += $NF } END { print sum + 0 }' "$@"
}

chapter "Two versions, one address, and an agent that watches"
build_network
start_server blue
start_server green
echo "blue: nginx on :8081, green: nginx on :8082, clients in a namespace of their own ask $host4:80 and [$host6]:80"
configure
show cat $work/web.yaml
echo "${dim}# bgswitch agent -c $work/web.yaml &$plain"
start_agent
wait_for "the agent's first checks" is_healthy green
echo "a client gets: $(answering_color)"

chapter "Four wrk put load on it: kept and new connections, IPv4 and IPv6"
start_load
echo "blue serves $(connections_of blue) connections now"

chapter "The switch: check green, send new connections there, wait for blue's to end, watch green"
show bgswitch conns blue | head -5
echo "..."
show bgswitch set green
[ "$(answering_color)" = green ] || fail "a connection after the flip reached blue"

chapter "Safe to stop, so: kill -9 blue, start a new one, and the same $cycles times more"
replace_server blue
stopped=1 slowest=0
for ((i = 0; i < cycles; i++)); do
	old=green new=blue
	((i % 2)) && old=blue new=green
	wait_for "the new $new" is_healthy $new
	began=$(milliseconds)
	bgswitch -q set $new --soak 0
	spent=$(($(milliseconds) - began))
	replace_server $old
	stopped=$((stopped + 1))
	if [ $spent -gt $slowest ]; then slowest=$spent; fi
	echo "$old was safe to stop after $spent ms, killed, replaced"
done

chapter "$idlers clients keep connections and say nothing: closed gently, by blue itself"
start_idlers
wait_for "their answers" idle
wait_for "the new green" is_healthy green
show bgswitch set green --soak 0 --close-idle 1s
wait $idlers_pid
gentle=$(grep -c FIN $work/idlers || true)
echo "$gentle of $idlers got FIN, none waited for its client"
replace_server blue

chapter "A bad release: the new blue passes its checks, and a second later it does not"
(sleep 1 && rm $work/blue/health) &
breaking=$! code=0
show bgswitch set blue --soak 10s || code=$?
expect_green 5
wait $breaking

chapter "The same release again: refused"
code=0
show bgswitch set blue || code=$?
expect_green 3
echo "blue is well" >$work/blue/health
wait_for "blue to be well again" is_healthy blue

chapter "$flips more switches under the same load, the agent killed after every fifth"
right=0 kills=0
for ((i = 0; i < flips; i++)); do
	color=blue
	((i % 2)) && color=green
	wait_for "the switch to $color" switch_to $color
	if [ "$(answering_color)" = $color ]; then right=$((right + 1)); fi
	((i % 5 == 4)) || continue
	kill_agent
	kills=$((kills + 1))
	start_agent
done
end_load
answered=$(requests $work/keep4 $work/keep6 $work/new4 $work/new6)
failed=$(errors $work/keep4 $work/keep6 $work/new4 $work/new6)
echo "done"

chapter "The active server dies: kill -9 green"
wait_for "the agent" is_healthy blue
kill_server green
saved=0
for ((i = 0; i < 100; i++)); do
	if [ "$(answering_color)" = blue ]; then saved=$((saved + 1)); fi
done
echo "$saved of 100 connections after it were served by blue, without any command"
wait_for "the agent to make blue active" is_active blue
show bgswitch status
show bgswitch history -n 3

chapter "And away with it"
kill "$agent"
wait "$agent" || fail "the agent did not end well"
echo "the agent has ended, a client gets: $(answering_color)"
[ "$(answering_color)" = blue ] || fail "the end of the agent changed something"
show bgswitch detach all
[ ! -e /sys/fs/bpf/bgswitch ] || fail "pins are left in /sys/fs/bpf/bgswitch"

chapter "Result"
cat <<EOF
  $(printf '%8d' "$answered")  requests answered meanwhile ($(requests $work/new4 $work/new6) of them on new connections)
  $(printf '%8d' "$failed")  failed
  $(printf '%8d' $stopped)  times the old version was killed once it was safe to stop (after $slowest ms at the most)
  $(printf '%8d' "$gentle")  idle connections closed gently, of $idlers
  $(printf '%8d' $flips)  switches in a row, after $right of them the very next connection got the new color
  $(printf '%8d' $kills)  times the agent was killed
         1  release taken back by itself, and refused the second time
  $(printf '%8d' $((100 - saved)))  connections refused after kill -9 of the active server
EOF
if [ "$failed" != 0 ] || [ "$gentle" != $idlers ] || [ $right != $flips ] || [ $saved != 100 ]; then
	fail "this is not what bgswitch promises"
fi

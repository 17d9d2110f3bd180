#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The main job, start to end, with real servers (nginx is blue, Python is green)
# and a real client in another network namespace. Prints a TAP line for each
# check; what went on is on stderr. Made for a machine that is thrown away after.
# shellcheck disable=SC2317,SC2329 # `check` calls functions by name
set -u

address4=10.77.0.1 address6=fd77::1 client4=10.77.0.2
both=("$address4" "[$address6]")
work=$(mktemp -d)
export BGSWITCH_STATE_DIR=$work/state
failed=0

bgs() {
	build/bgswitch --netns host "$@"
}

clean_up() {
	jobs -p | xargs -r kill -KILL
	ip netns del client
	ip netns del host
	rm -rf "$work"
}
trap clean_up EXIT

# ---- the scene

# nsenter, because `ip netns exec` mounts another /sys.
host() {
	nsenter --net=/run/netns/host "$@"
}

client() {
	nsenter --net=/run/netns/client "$@"
}

make_networks() {
	ip netns add host
	ip netns add client
	host ip link set lo up
	host ip link add eth0 type veth peer name eth0 netns client
	host ip address add $address4/24 dev eth0
	host ip address add $address6/64 dev eth0 nodad
	host ip link set eth0 up
	client ip address add $client4/24 dev eth0
	client ip address add fd77::2/64 dev eth0 nodad
	client ip link set eth0 up
}

start_blue() {
	cat >"$work/nginx.conf" <<-CONFIGURATION
		daemon off;
		master_process off;
		pid $work/nginx.pid;
		error_log stderr;
		events {}
		http {
			access_log off;
			client_body_temp_path $work/body;
			proxy_temp_path $work/proxy;
			fastcgi_temp_path $work/fastcgi;
			uwsgi_temp_path $work/uwsgi;
			scgi_temp_path $work/scgi;
			server {
				listen 8081;
				listen [::]:8081;
				return 200 blue;
			}
		}
	CONFIGURATION
	nsenter --net=/run/netns/host nginx -p "$work" -c "$work/nginx.conf" -e stderr >&2 &
	nginx=$!
	wait_for listening 8081
}

start_green() {
	mkdir -p "$work/green"
	printf green >"$work/green/index.html"
	nsenter --net=/run/netns/host python3 -m http.server 8082 --bind :: --directory "$work/green" >&2 &
	python=$!
	wait_for listening 8082
}

start_agent() {
	build/bgswitch --netns host agent >&2 &
	agent=$!
	wait_for bgs check
}

healthy() {
	wait_for all_healthy
}

all_healthy() {
	bgs status -j | python3 -c '
import json, sys
colors = json.load(sys.stdin)["services"][0]["colors"]
sys.exit(any(color["health"] != "healthy" for color in colors.values()))
'
}

kill_server() {
	kill -KILL "$1"
	wait "$1"
} 2>/dev/null

listening() {
	host ss -Hltn "sport = :$1" | grep -q .
}

# ---- checks

wait_for() {
	local deadline=$((SECONDS + 30))

	while [ "$SECONDS" -lt "$deadline" ]; do
		! "$@" || return 0
		sleep 0.1
	done
	echo "waited in vain: $*" >&2
	return 1
}

check() {
	local name=$1

	shift
	printf '\n# %s: %s\n' "$name" "$*" >&2
	if "$@" >&2; then
		echo "ok - $name"
	else
		echo "not ok - $name"
		failed=1
	fi
}

answers() {
	local color=$1 address answer

	shift
	for address; do
		answer=$(client curl -sg --max-time 20 "http://$address/")
		echo "$address: '$answer', curl's status $?" >&2
		[ "$answer" = "$color" ] || return 1
	done
}

refused() {
	local address

	for address; do
		client curl -sg --max-time 20 "http://$address/"
		[ $? = 7 ] || return 1 # could not connect
	done
}

failed_over() {
	bgs status -j | python3 -c '
import json, sys
sys.exit(json.load(sys.stdin)["services"][0]["counters"]["failover_total"] != int(sys.argv[1]))
' "$1"
}

nothing_left() {
	[ ! -e /sys/fs/bpf/bgswitch ] && ! /usr/sbin/bpftool link list | grep . &&
		! /usr/sbin/bpftool prog list | grep sk_lookup
}

play() {
	check "nginx listens before bgswitch comes" start_blue
	check "attach" bgs attach eth0
	check "Python starts after bgswitch" start_green
	check "blue answers on the service's IPv4 address" answers blue $address4
	check "blue answers on the service's IPv6 address" answers blue "[$address6]"
	check "set green" bgs set green --no-wait
	check "the next IPv4 connection reaches green" answers green $address4
	check "the next IPv6 connection reaches green" answers green "[$address6]"

	check "a preview network is added" bgs preview add $client4 blue
	check "its clients get its color" answers blue $address4
	check "others keep the active one" answers green "[$address6]"
	check "a preview network is removed" bgs preview rm $client4
	check "its clients get the active color again" answers green $address4

	kill_server "$python"
	check "green was killed: blue takes over, IPv4 and IPv6" answers blue "${both[@]}"
	check "the failovers are counted" failed_over 2
	check "green starts again" start_green
	check "and is registered without a command" answers green "${both[@]}"
	check "the agent starts" start_agent
	check "and finds both healthy" healthy
	check "the agent switches, and watches for a moment" bgs set blue --soak 1s
	check "the next connections reach blue" answers blue "${both[@]}"
	kill_server "$agent"
	check "the agent was killed: nothing changes" answers blue "${both[@]}"
	kill_server "$nginx"
	kill_server "$python"
	check "both were killed: refused" refused "${both[@]}"
	check "status" bgs status
	check "detach" bgs detach eth0
	check "nothing is left in the kernel" nothing_left
}

make_networks >&2
play
exit $failed

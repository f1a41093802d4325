#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Loses packets on purpose in two network namespaces, and shows what
# Plumbline says of it: first single packets, then 10 seconds of counts.
set -euo pipefail

bin=${PLUMBLINE_BIN:-$(dirname "$0")/../build/bin}
left=plumbline-demo-a
right=plumbline-demo-b
traffic=

clean_up() {
	[ -z "$traffic" ] || kill "$traffic" 2>/dev/null || true
	ip netns delete $left 2>/dev/null || true
	ip netns delete $right 2>/dev/null || true
}
trap clean_up EXIT
clean_up

ip netns add $left
ip netns add $right
ip link add name demo-a netns $left type veth peer name demo-b netns $right
ip -n $left address add 192.0.2.1/24 dev demo-a
ip -n $right address add 192.0.2.2/24 dev demo-b
ip -n $left link set demo-a up
ip -n $right link set demo-b up
ip netns exec $right nft -f - <<-RULES
	add table inet demo
	add chain inet demo in { type filter hook input priority 0 ; }
	add rule inet demo in udp dport 7777 drop
RULES

# Ten datagrams a second to a closed port, four into a firewall rule, two connections refused.
ip netns exec $left bash -c '
	while :; do
		for i in 1 2 3 4 5 6 7 8 9 10; do echo hello > /dev/udp/192.0.2.2/9; done
		for i in 1 2 3 4; do echo hello > /dev/udp/192.0.2.2/7777; done
		for i in 1 2; do (: > /dev/tcp/192.0.2.2/81) 2> /dev/null; done
		sleep 1
	done' &
traffic=$!

echo "== eth-drop --dst-ip 192.0.2.2 --count 16"
"$bin/eth-drop" --dst-ip 192.0.2.2 --count 16 --duration 10
echo
echo "== drop-summary --group-by location,reason,interface --interval 5 --duration 10"
"$bin/drop-summary" --group-by location,reason,interface --interval 5 --duration 10

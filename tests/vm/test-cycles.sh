#!/usr/bin/env bash
# Thirty nodes, in two rows side by side, each one after the other: none fails, nothing is left, the daemon does not grow.
# F27.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

cycles=${ISC_CYCLES:-30}
rig_up cycles
ok "the image is imported" dock isc-vm image import "$BUILD/images/minimal"

# What there is besides nodes: everything that a cycle could leave behind.
census() {
	dock sh -c '
		virsh -q list --all; virsh -q secret-list
		ip -br link | grep -o "isct[0-9]*"
		nft list ruleset | grep -v expires | grep -oE "\"isct[0-9]+\" "
		find /var/lib/isc-dock/nodes /run/isc-dock/nodes -mindepth 1
		find /var/lib/isc-dock/keys /var/lib/isc-dock/env -name "*.sealed"
		pgrep -x qemu-system-x86'
}
fds() { dock sh -c 'for p in isc-dockd isc-collectord; do ls "/proc/$(pgrep -x $p)/fd" | wc -l; done'; }
# Wait until census and fds have been the same for longer than the collector waits for late packets of a node that is
# gone (5 s, GONE_US in packet-log.c).
settle() {
	local was='' now calm=0
	for _ in {1..60}; do
		now=$(census && fds)
		[[ $now == "$was" ]] && calm=$((calm + 1)) || calm=0
		[ "$calm" -lt 10 ] || return 0
		was=$now
		sleep 1
	done
}
rss() { dock sh -c 'awk "/^RssAnon/ { print \$2 }" /proc/$(pgrep -x isc-dockd)/status'; }

cycle() { # NAME PORT
	# shellcheck disable=SC2016 # $DOCK is the client's
	dock isc-vm provision "$1" --image minimal --memory 96 --overlay 64 --expose "$2:8080" &&
		client sh -c 'curl -fsS -m 5 "http://$DOCK:'"$2"'/" >/dev/null' && dock isc-vm destroy "$1"
}
row() { # NAME PORT CYCLES: what failed, on standard output
	local i
	for i in $(seq "$3"); do
		cycle "$1" "$2" >"$TMP/$1" 2>&1 || echo "$1, cycle $i: $(tail -n 1 "$TMP/$1")"
	done
}
rows() {
	: >"$TMP/failed"
	row a 8080 "$1" >>"$TMP/failed" &
	row b 8081 "$1" >>"$TMP/failed"
	wait $!
}
# The first ones fill caches and pools.
rows 2
settle
census >"$TMP/before"
fds_before=$(fds)
rss_before=$(rss)
rows $((cycles / 2))
is "$(cat "$TMP/failed")" '' "$cycles cycles of provision, ready, reached, destroy: none fails"
settle
census >"$TMP/after"
ok "nothing is left behind" diff "$TMP/before" "$TMP/after"
no_more() { # BEFORE NOW: a number for each daemon
	[ "$#" = 4 ] && [ "$3" -le "$1" ] && [ "$4" -le "$2" ]
}
# shellcheck disable=SC2046,SC2086 # numbers
ok "no descriptor is left open" no_more $fds_before $(fds)
grown=$(($(rss) - rss_before))
note "the daemon grew by $grown KiB"
ok "the daemon grows by less than 1 MiB" test "$grown" -lt 1024
ok "the dock is in order" sh -c "'$TOP'/tools/rig exec --name $RIG -- isc-vm fsck --json | jq -e '. == []'"
done_testing

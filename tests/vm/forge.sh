# shellcheck shell=bash
# For tests in which node "evil", of image attacker, exposed as port 8081, sends frames that scapy makes.
# tests/vm/net-tool.py has the orders.
#
#   forge_start SELF PEER   MAC,ADDRESS each; does not wait: Python takes its time on an emulated CPU
#   forge_wait              until it is ready
#   forge ORDER             prints the answer
forge_start() {
	mkfifo "$TMP/forge.in" "$TMP/forge.out"
	client "$TOP/tests/vm/net-tool.py" forge 8081 "$@" <"$TMP/forge.in" >"$TMP/forge.out" 2>"$TMP/forge.err" &
	at_exit kill "$!"
	exec 6>"$TMP/forge.in" 7<"$TMP/forge.out"
}

forge_wait() {
	local said=
	read -r -t 120 said <&7
	[ "$said" = ready ] || { cat "$TMP/forge.err" && return 1; }
}

forge() {
	local said=
	echo "$1" >&6
	read -r -t 120 said <&7
	echo "$said"
}

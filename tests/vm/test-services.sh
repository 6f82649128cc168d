#!/usr/bin/env bash
# Services as Debian has them, from recipe to answer: whoever writes a recipe gets a node. R2.1, R2.2, R3.2.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

rig_up services
vm() { dock isc-vm "$@"; }
for image in nginx redis memcached; do ok "$image is imported" vm image import "$BUILD/images/$image"; done

ok "nginx gets ready" vm provision web --image nginx --expose 8080:80
like "$(client sh -c 'curl -fsS -m 5 http://$DOCK:8080/')" "Welcome to nginx" "and answers with its page"

ok "redis gets ready, with a password from the environment" env REDIS_PASSWORD=s3cr3t-$$ "$TOP/tools/rig" exec --name "$RIG" -- \
	isc-vm provision db --image redis --expose 6379:6379 --env REDIS_PASSWORD
like "$(client sh -c 'redis-cli -h $DOCK PING')" "NOAUTH" "redis wants it"
is "$(client sh -c "redis-cli -h \$DOCK --no-auth-warning -a s3cr3t-$$ PING")" PONG "and takes it"

cat >"$TMP/cache.node" <<'NODE'
[Node]
Name=cache
Image=memcached
Description=from a node file
Label=tier=cache

[Resources]
Memory=160
Overlay=32

[Network]
Network=dedicated
Expose=11211:11211
NODE
ok "memcached gets ready, from a node file" dock isc-vm provision -f "$TMP/cache.node"
like "$(client sh -c 'printf "set k 0 0 5\r\nhello\r\nget k\r\nquit\r\n" | nc -w 3 $DOCK 11211')" "hello" "and keeps what it is told"
like "$(vm show cache --json | jq -r '.network + " " + .address')" "dedicated 10\.78\.[0-9]+\.[0-9]+$" "on a bridge of its own, in a network of its own"
like "$(dock ip -o link show "$(vm network show cache --json | jq -r .tap)")" "isct([0-9]+): .*master isc0-[0-9]+ " "its port is there"
ok "what is written to the overlay is gone with the start" sh -c "
	'$TOP/tools/rig' exec --name $RIG -- isc-vm disable cache && '$TOP/tools/rig' exec --name $RIG -- isc-vm enable cache"
unlike "$(client sh -c 'printf "get k\r\nquit\r\n" | nc -w 3 $DOCK 11211')" "hello" "as is what was in memory"

# q35 is the other machine; production's word for it is the node file's
ok "the same image boots on q35" vm provision web35 --image nginx --machine q35 --expose 8081:80
like "$(client sh -c 'curl -fsS -m 5 http://$DOCK:8081/')" "Welcome to nginx" "and answers"
ok "all are destroyed" vm destroy web db cache web35
is "$(dock sh -c '(ip -br link; ip rule) | grep isc0-')" "" "with the bridge"
ok "the dock is in order" sh -c "'$TOP/tools/rig' exec --name $RIG -- isc-vm fsck --json | jq -e '. == []'"

# --- where nodes live ------------------------------------------------------------------------------------------
plan() {
	dock sh -c "sed -i '/^\\[Network\\]/,\$d' /etc/isc-dock/dock.conf; printf '[Network]\n$1\n' >>/etc/isc-dock/dock.conf"
	"$TOP/tools/rig" restart dockd --name "$RIG" >"$TMP/restart" 2>&1
}
ok "with no node the network may be another" plan 'Subnet=192.168.77.0/28\nDedicatedSubnet=192.168.78.0/28\nBridge=isx'
for i in 1 2 3 4; do ok "a dedicated node is registered" vm provision "own$i" --image redis --network dedicated --no-enable; done
status 4 "until that pool is exhausted" dock isc-vm provision own5 --image redis --network dedicated --no-enable
like "$(cat "$TMP/out")" "no free address: all of 4" "which is said"
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13; do vm provision "n$i" --image redis --no-enable >/dev/null || fail "a node is registered"; done
status 4 "so it is with the common one" dock isc-vm provision n14 --image redis --no-enable
is "$(vm list --json | jq -r '.[].address' | sort -u | wc -l)" 17 "no address is given twice"
is "$(vm list --json | jq -r '.[].address' | grep -cv '^192.168.7[78].')" 0 "all are of the plan"
ok "the bridge is there" dock ip link show isx
not_ok "while nodes stand the plan stays" plan 'Subnet=192.168.79.0/28'
like "$(dock sh -c 'cat /var/log/isc-dock/*.log /run/isc-dock/*.log 2>/dev/null'; "$TOP/tools/rig" logs dockd --name "$RIG")" \
	"17 nodes stand with Subnet=192.168.77.0/28" "and the dock says what to put back"
ok "which helps" plan 'Subnet=192.168.77.0/28\nDedicatedSubnet=192.168.78.0/28\nBridge=isx'
vm destroy own1 n1 >/dev/null
dock ip addr add 192.168.77.130/25 dev lo
ok "a network beside it is none of our business" vm provision n1 --image redis --no-enable
dock ip addr add 192.168.77.8/30 dev lo
status 4 "the host joins the nodes' network: none is started there" dock isc-vm enable n1
like "$(cat "$TMP/out")" "collides with 192.168.77.8/30" "and the error names both"
like "$(vm doctor --json | jq -c '.[] | select(.name == "addresses")')" "192.168.77.8/30" "so does doctor"
ok "a dedicated one may be" vm provision own1 --image redis --network dedicated --no-enable
done_testing

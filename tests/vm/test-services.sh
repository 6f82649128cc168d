#!/usr/bin/env bash
# Services as Debian has them, from recipe to answer: whoever writes a recipe gets a node.
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
Expose=11211:11211
NODE
ok "memcached gets ready, from a node file" dock isc-vm provision -f "$TMP/cache.node"
like "$(client sh -c 'printf "set k 0 0 5\r\nhello\r\nget k\r\nquit\r\n" | nc -w 3 $DOCK 11211')" "hello" "and keeps what it is told"
ok "what is written to the overlay is gone with the start" sh -c "
	'$TOP/tools/rig' exec --name $RIG -- isc-vm disable cache && '$TOP/tools/rig' exec --name $RIG -- isc-vm enable cache"
unlike "$(client sh -c 'printf "get k\r\nquit\r\n" | nc -w 3 $DOCK 11211')" "hello" "as is what was in memory"

# q35 is the other machine; production's word for it is the node file's
ok "the same image boots on q35" vm provision web35 --image nginx --machine q35 --expose 8081:80
like "$(client sh -c 'curl -fsS -m 5 http://$DOCK:8081/')" "Welcome to nginx" "and answers"
ok "all are destroyed" vm destroy web db cache web35
ok "the dock is in order" sh -c "'$TOP/tools/rig' exec --name $RIG -- isc-vm fsck --json | jq -e '. == []'"
done_testing

#!/usr/bin/env bash
# The fence around isc-dockd on the bus (dock/units/org.iscdock.Dock1.conf), tried with a real dbus-daemon: who has no
# role reaches it not, hears it not, and cannot take its place.  In a mount namespace with users of its own. R3.5, T30.
PATH=/usr/sbin:/usr/bin:/sbin:/bin # a python3 in somebody's home is closed to other uids
if [ "$(id -u)" = 0 ] && [ -z "${ISC_IN_NAMESPACE:-}" ] && unshare -m true 2>/dev/null; then
	exec env ISC_IN_NAMESPACE=1 unshare -m --propagation private "$0"
fi
# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "$0")/../lib.sh"
[ "$(id -u)" = 0 ] || skip_all 'needs root'
[ -n "${ISC_IN_NAMESPACE:-}" ] || skip_all 'no mount namespaces here'
for c in dbus-daemon dbus-send gdbus setpriv python3; do
	command -v "$c" >/dev/null || skip_all "no $c"
done

NAME=org.iscdock.Dock1
chmod 755 "$TMP"
cp "$TOP/tests/netns/bus-owner.py" "$TMP" # others may not be let into the tree
bus=unix:path=$TMP/bus

id=64000
printf 'root:x:0:0::/:/bin/sh\n' >"$TMP/passwd"
printf 'root:x:0:\nisc-operator:x:64100:op1\nisc-security:x:64101:sec1\nisc-auditor:x:64102:aud1\n' >"$TMP/group"
for u in isc-dock op1 sec1 aud1 somebody; do
	id=$((id + 1))
	echo "$u:x:$id:$id::/:/bin/sh" >>"$TMP/passwd"
	echo "$u:x:$id:" >>"$TMP/group"
done
mount --bind "$TMP/passwd" /etc/passwd
mount --bind "$TMP/group" /etc/group

# As Debian's /usr/share/dbus-1/system.conf, but for where it listens.
sed -e "s,<listen>.*</listen>,<listen>$bus</listen>," -e "s,<user>.*</user>,," \
	-e "s,<includedir>.*</includedir>,<include>$TOP/dock/units/$NAME.conf</include>," \
	"$TOP/tools/rig.d/bus.conf" >"$TMP/bus.conf"
dbus-daemon --config-file="$TMP/bus.conf" --nofork --nopidfile --nosyslog 2>"$TMP/bus.log" &
daemon=$!
at_exit kill "$daemon"
wait_for 20 test -S "$TMP/bus"

under() { # USER COMMAND…
	local user=$1
	shift
	setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups "$@"
}

call() { # USER: what becomes of a call
	local said
	if said=$(under "$1" dbus-send --bus="$bus" --print-reply=literal --reply-timeout=2000 --dest="$NAME" \
		/org/iscdock/Dock1 "$NAME.ListNodes" 2>&1); then
		echo answered
	else
		echo "$said" | grep -o 'AccessDenied\|ServiceUnknown\|NoReply' | head -1
	fi
}

hears() { # USER: how many signals in a second
	under "$1" timeout 1.2 gdbus monitor --address "$bus" --dest "$NAME" 2>/dev/null | grep -c Secret
}

request() { # USER: what the bus says to who wants the name
	under "$1" python3 "$TMP/bus-owner.py" "$TMP/bus" "$NAME" </dev/null 2>&1 | head -1
}

denied=org.freedesktop.DBus.Error.AccessDenied
is "$(request somebody)" $denied 'somebody without a role cannot own the name'
is "$(request op1)" $denied 'an operator cannot own the name'
is "$(request root)" $denied 'root cannot own the name: only the daemon, as its own user'

mkfifo "$TMP/stdin"
under isc-dock python3 "$TMP/bus-owner.py" "$TMP/bus" "$NAME" <"$TMP/stdin" >"$TMP/owner" 2>&1 &
exec 3>"$TMP/stdin" # it ends when this does
wait_for 20 test -s "$TMP/owner"
is "$(cat "$TMP/owner")" owner 'isc-dock owns the name'

is "$(call somebody)" AccessDenied 'a call by somebody without a role is refused by the bus'
for u in root op1 sec1 aud1; do
	is "$(call $u)" answered "$u may call"
done
is "$(hears somebody)" 0 'somebody without a role hears no signal of the dock'
isnt "$(hears aud1)" 0 'an auditor hears the signals'
isnt "$(hears root)" 0 'root hears the signals'
done_testing

#!/usr/bin/env bash
# Recipes become images: the same ones each time, and wrong ones are told where.  Needs root, and the host's mirror.
# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "$0")/../lib.sh"
IMAGE=$BUILD/isc-image
[ "$(id -u)" = 0 ] || skip_all 'needs root'
[ -x "$IMAGE" ] || skip_all "no $IMAGE: make it"
# A publisher of this test's own; the cache is the host's.
export XDG_CONFIG_HOME=$TMP/config

# try NAME LINES…: a copy of minimal whose image.conf has LINES behind [Service]'s own
recipe() {
	rm -rf "${TMP:?}/$1" && cp -r "$TOP/node-images/minimal" "$TMP/$1"
}
conf() { echo "$TMP/$1/image.conf"; }

# refused DESC NAME REGEX: building recipe NAME ends with status 2, and says REGEX
refused() {
	status 2 "$1" "$IMAGE" build "$TMP/$2" -o "$TMP/$2.out"
	like "$(cat "$TMP/out")" "$3" "… and says file and line"
	not_ok '… and leaves nothing' ls -d "$TMP/$2.out" "$TMP/.$2.out.building"
}

# --- a minimal image, twice ------------------------------------------------------------------------------------

ok 'the minimal image is built and checked' sh -c '"$1" build "$2" -o "$3" --no-cache --json >"$4"' sh \
	"$IMAGE" "$TOP/node-images/minimal" "$TMP/one" "$TMP/json"
is "$(jq -r .check "$TMP/json")" passed 'libguestfs looked at the finished root'
ok 'the first build makes the publisher a key' test -s "$XDG_CONFIG_HOME/isc-dock/publisher.key"
is "$(stat -c %a "$XDG_CONFIG_HOME/isc-dock/publisher.key")" 600 '… that nobody else reads'
size=$(jq '.bytes.root + .bytes.initrd' "$TMP/json")
ok "its root and initrd are below 5 MB ($size bytes)" test "$size" -lt 5000000
is "$(find "$TMP/one" -type f -printf '%f\n' | sort | tr '\n' ' ')" \
	'initrd manifest.json manifest.json.minisig root.erofs sbom.json vmlinuz ' 'an image is six files'
# R7.6
ok 'its SBOM is CycloneDX and names busybox by its source' jq -e '.bomFormat == "CycloneDX" and
	([.components[] | select(.name == "busybox-static") | .properties[] | select(.name == "debian:source").value]
	== ["busybox"])' "$TMP/one/sbom.json"

# R2.5: bit by bit.
ok 'it is built anew, nothing taken from the cache, from a checkout of another owner and umask' sh -c '
	cp -r "$2" "$3.recipe" && chmod -R go-rwx "$3.recipe" && chown -R 12345 "$3.recipe" && umask 077 &&
	"$1" build "$3.recipe" -o "$3" --no-cache --no-check' sh "$IMAGE" "$TOP/node-images/minimal" "$TMP/two"
for f in manifest.json root.erofs initrd vmlinuz sbom.json manifest.json.minisig; do
	ok "… and $f is the same, byte by byte" cmp "$TMP/one/$f" "$TMP/two/$f"
done

# --- verify ----------------------------------------------------------------------------------------------------
# R2.4, T20

ok 'what was built verifies' "$IMAGE" verify "$TMP/one"
ok '… with minisign, too' minisign -Vm "$TMP/one/manifest.json" -p "$XDG_CONFIG_HOME/isc-dock/publisher.pub"
for f in root.erofs initrd vmlinuz sbom.json manifest.json; do
	cp "$TMP/one/$f" "$TMP/kept"
	at=$(($(stat -c %s "$TMP/kept") / 2))
	byte=$(od -An -tu1 -j "$at" -N 1 "$TMP/kept")
	printf '%b' "\\x$(printf %x $((byte ^ 1)))" | dd of="$TMP/one/$f" bs=1 seek="$at" conv=notrunc status=none
	status 7 "a flipped bit in $f is found" "$IMAGE" verify "$TMP/one"
	like "$(cat "$TMP/out")" "$f" '… and the file named'
	cp "$TMP/kept" "$TMP/one/$f"
done
ok '… and gone with the flip' "$IMAGE" verify "$TMP/one"
"$IMAGE" keygen "$TMP/other.key" >/dev/null
status 7 'another key does not vouch for it' "$IMAGE" verify "$TMP/one" --key "$TMP/other.pub"
ok '… until it signs' "$IMAGE" sign "$TMP/one" --key "$TMP/other.key"
ok '… then it does' "$IMAGE" verify "$TMP/one" --key "$TMP/other.pub"
status 3 'no image is not found' "$IMAGE" verify "$TMP/none"
status 4 'a key that is there is not overwritten' "$IMAGE" keygen "$TMP/other.key"

# --- wrong recipes ---------------------------------------------------------------------------------------------

status 3 'no recipe is not found' "$IMAGE" build "$TMP/none" -o "$TMP/x"
status 2 'no -o is a usage error' "$IMAGE" build "$TOP/node-images/minimal"

recipe key && sed -i 's/^Packages=/Package=/' "$(conf key)"
refused 'an unknown key is refused' key "key/image\.conf:7: unknown key 'Package'.*Packages"
recipe package && sed -i 's/^Packages=.*/Packages=busybox-static isc-no-such-package/' "$(conf package)"
refused 'a package that does not exist is refused' package 'package/image\.conf:7: Packages: isc-no-such-package'
recipe user && sed -i 's/^User=.*//' "$(conf user)"
refused 'a service without a user is refused' user 'user/image\.conf:[0-9]+: User: is missing'
recipe nobody && sed -i 's/^User=.*/User=nobody/' "$(conf nobody)"
refused 'a user that the root does not have is refused' nobody "nobody/image\.conf:11: User: 'nobody'"
recipe exec && sed -i 's,^Exec=.*,Exec=/usr/bin/httpd -f,' "$(conf exec)"
refused 'a program that the root does not have is refused' exec "exec/image\.conf:10: Exec: '/usr/bin/httpd': no such file"
recipe data && sed -i 's,^Exec=.*,Exec=/srv/www/index.html,' "$(conf data)"
refused 'a program that is none is refused' data 'data/image\.conf:10: Exec: .*cannot execute'
recipe port && sed -i 's,^Ports=.*,Ports=80800/tcp,' "$(conf port)"
refused 'a port out of range is refused' port 'port/image\.conf:12: Ports:'
recipe suite && sed -i 's/^Packages=.*/Packages=busybox-static\nSuite=isc-no-such-suite/' "$(conf suite)"
refused 'a suite that the mirror does not have is refused' suite 'suite/image\.conf:8: Suite:'
recipe script && printf '#!/bin/busybox sh\necho said this >&2\nexit 5\n' >"$TMP/script/build.sh"
refused 'a build.sh that fails fails the build' script 'script/build\.sh.*status 5.*said this'
recipe fifo && mkfifo "$TMP/fifo/files/pipe"
refused 'files/ holds files, folders and links alone' fifo 'files/pipe'

# --- the policy of roots -----------------------------------------------------------------------------------------
# R3.2, R3.3: nothing that lends rights, no identity; the service's user owns what it may write, and that alone.

recipe policy
cat >"$TMP/policy/build.sh" <<'EOF'
#!/bin/busybox sh
set -e
b=/bin/busybox
$b mkdir -p /opt
$b cp /bin/busybox /opt/su
$b chmod 6755 /opt/su
$b mknod /opt/disk b 254 0
$b mkfifo /opt/pipe
echo seed >/etc/machine-id
$b mkdir -p /var/log/x /var/lib/data
echo line >/var/log/x/log
echo kept >/var/lib/data/file
[ "$($b ls /sys/class/net 2>/dev/null)" = "" ]
[ "$($b cat /proc/net/dev | $b wc -l)" = 3 ]
EOF
echo 'Writable=/var/lib/data /srv/new /run/x' >>"$(conf policy)"
ok 'build.sh runs as root of the tree, without network' "$IMAGE" build "$TMP/policy" -o "$TMP/policy.out" --no-check
like "$(cat "$TMP/out")" '/opt/su' '… and what it made setuid is reported'
mkdir "$TMP/tree"
ok 'the root can be taken apart' fsck.erofs --extract="$TMP/tree" --force "$TMP/policy.out/root.erofs"
is "$(find "$TMP/tree" -perm /6000)" '' 'nothing in it is setuid or setgid'
is "$(find "$TMP/tree" ! -type f ! -type d ! -type l)" '' 'it has files, folders and links alone'
not_ok 'identity and logs are gone' ls "$TMP/tree/etc/machine-id" "$TMP/tree/var/log/x/log"
ok '… folders for logs stay' test -d "$TMP/tree/var/log/x"
is "$(stat -c '%u:%g' "$TMP/tree/var/lib/data" "$TMP/tree/var/lib/data/file" "$TMP/tree/srv/new" | uniq)" 990:990 \
	'writable folders are the service user'\''s'
is "$(stat -c %u "$TMP/tree/srv/www/index.html")" 0 '… all else is root'\''s'
like "$(cat "$TMP/tree/usr/lib/iscdock/service")" 'exec=/bin/busybox.*uid=990.*writable=/run/x' \
	'the guest is told what to run'

# --- the look from outside ---------------------------------------------------------------------------------------

# What finish would never leave: a root made by somebody else, with a manifest that fits.
chmod 4755 "$TMP/tree/opt/su"
mknod "$TMP/tree/opt/disk" b 254 0
rm "$TMP/policy.out/root.erofs"
ok 'a root is tampered with' mkfs.erofs --quiet "$TMP/policy.out/root.erofs" "$TMP/tree"
status 7 'libguestfs finds it' "$IMAGE" check "$TMP/policy.out"
like "$(cat "$TMP/out")" '2 findings' '… the setuid program and the device'

# --- interruption --------------------------------------------------------------------------------------------------

recipe slow && printf '#!/bin/busybox sh\n/bin/busybox sleep 300\n' >"$TMP/slow/build.sh"
"$IMAGE" build "$TMP/slow" -o "$TMP/slow.out" >"$TMP/slow.log" 2>&1 &
pid=$!
ok 'a build is under way' wait_for 60 grep -q 'run build.sh' "$TMP/slow.log"
sleep 1
kill -TERM "$pid"
wait "$pid"
is $? 143 'SIGTERM ends it, and whoever waits sees that'
not_ok '… nothing is left' ls -d "$TMP/slow.out" "$TMP/.slow.out.building"

"$IMAGE" build "$TMP/slow" -o "$TMP/slow.out" >"$TMP/slow.log" 2>&1 &
pid=$!
wait_for 60 grep -q 'run build.sh' "$TMP/slow.log"
sleep 1
sleeper=$(pgrep -f '^/bin/busybox sleep 300$' | head -n 1)
status 4 'a second build to the same place is refused meanwhile' \
	"$IMAGE" build "$TOP/node-images/minimal" -o "$TMP/slow.out" --no-check
kill -KILL "$pid"
wait "$pid" 2>/dev/null
ok 'SIGKILL takes all of its processes along' wait_for 20 sh -c '! kill -0 "$1"' sh "${sleeper:-0}"
not_ok '… and all of its mounts' grep -F "$TMP" /proc/self/mounts
not_ok '… no half image' ls -d "$TMP/slow.out"
ok '… and the next build clears up and succeeds' "$IMAGE" build "$TOP/node-images/minimal" -o "$TMP/slow.out" --no-check
not_ok '… leaving nothing' ls -d "$TMP/.slow.out.building"

# --- a host that lacks something -----------------------------------------------------------------------------------

mkdir "$TMP/bin"
for t in sh env apt-get apt-config apt-cache dpkg-deb depmod tar zstd mkfs.erofs; do
	ln -s "$(command -v "$t")" "$TMP/bin/$t"
done
status 8 'a missing tool is the host'\''s fault' env PATH="$TMP/bin" "$IMAGE" build "$TOP/node-images/minimal" \
	-o "$TMP/x" --no-check
like "$(cat "$TMP/out")" 'mmdebstrap.*tools/deps' '… named, with what to do'

# helper TEXT…: isc-image with a script in the place of isc-image-check
helper() {
	mkdir -p "$TMP/helper"
	cp "$IMAGE" "$BUILD/isc-node-init" "$TMP/helper"
	printf '%s\n' '#!/bin/sh' "$@" >"$TMP/helper/isc-image-check"
	chmod +x "$TMP/helper/isc-image-check"
}
helper 'echo "cannot start libguestfs: no reason" >&2' 'exit 8'
status 8 'where libguestfs does not start the build fails' "$TMP/helper/isc-image" check "$TMP/one"
like "$(cat "$TMP/out")" 'cannot start libguestfs: no reason' '… and says why'
helper 'echo "{\"format\":1}"'
status 1 'a report that makes no sense is no report' "$TMP/helper/isc-image" check "$TMP/one"
done_testing

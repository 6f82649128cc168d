#!/usr/bin/env bash
# The life of real nodes on a real dock: what issue an operator gives, what others may see, what is left.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

images=$BUILD/images
rig_up node
vm() { dock isc-vm "$@"; }
# json FILTER CMD…: the filter holds on CMD's JSON
json() {
	local filter=$1
	shift
	dock isc-vm "$@" --json | jq -e "$filter" >/dev/null
}
# on_record FILTER: it holds on an array of all events
on_record() { dock isc-vm events -n 0 --json | jq -s -e "$1" >/dev/null; }
# shellcheck disable=SC2016 # $DOCK is the client's
get() { client sh -c 'curl -fsS -m 5 "http://$DOCK:'"$1"'"'; }

# --- images ---------------------------------------------------------------------------------------
# R2.4: digest and signature, before anything is kept; R7.4.
status 3 "an image that is not there is no image" dock isc-vm image import "$images/none"
status 3 "a node wants an image that was imported" dock isc-vm provision web --image minimal
cp -r "$images/minimal" "$TMP/changed"
for root in "$TMP"/changed/root.*; do printf x | dd of="$root" bs=1 seek=5000 conv=notrunc status=none; done
status 7 "one changed byte of the root is found" dock isc-vm image import "$TMP/changed"
cp -r "$images/minimal" "$TMP/renamed"
sed -i 's/"version"/"versioN"/' "$TMP/renamed/manifest.json"
status 7 "a changed manifest is found before it is read" dock isc-vm image import "$TMP/renamed"
cp -r "$images/minimal" "$TMP/unsigned"
rm "$TMP/unsigned/manifest.json.minisig"
status 7 "an unsigned image is refused" dock isc-vm image import "$TMP/unsigned"
ok "a signed image is imported" vm image import "$images/minimal"
ok "importing it again changes nothing" json '.new == false' image import "$images/minimal"
# R2.4, T4
is "$(dock sh -c 'stat -c %U:%a /var/lib/isc-dock/images/*/root.*')" root:444 "images belong to root, read-only"
ok "and are immutable" dock sh -c 'lsattr /var/lib/isc-dock/images/*/root.* | grep -q -- "-i-"'

# --- wrong orders ---------------------------------------------------------------------------------
status 2 "an unknown verb is a wrong command line" dock isc-vm provide web
status 2 "so is an unknown option" dock isc-vm provision web --image minimal --colour red
while read -r name; do
	status 2 "'$name' is no name" dock isc-vm provision "$name" --image minimal
done <<-'NAMES'
	../x
	Web
	a_b
	web;id
	$(id)
	web<b>
	abcdefghijklmnopqrstuvwxyz0123456
NAMES
status 2 "a wrong expose rule is refused" dock isc-vm provision web --image minimal --expose 99999:80
status 2 "a wrong egress rule is refused" dock isc-vm provision web --image minimal --egress tcp:1.2.3.4
status 5 "more memory than the host has is refused" dock isc-vm provision web --image minimal --memory 65536
# R9.3
status 5 "production refuses an emulated host" dock isc-vm provision web --image minimal --environment production
status 3 "what is not there cannot be shown" dock isc-vm show web
status 0 "a dry run says what would be done" dock isc-vm provision web --image minimal --dry-run
like "$(cat "$TMP/out")" "fence.*tap.*start" "and has the fence before the tap before the start"
ok "and does nothing" json '. == []' list

# --- up -------------------------------------------------------------------------------------------
ok "a node gets ready" vm provision web --image minimal --expose 8080:8080 --memory 128 --env TOKEN=hunter2-is-secret \
	--label tier=front
ok "a client outside reaches its service" get 8080/
# R1.1, R1.2
not_ok "and nothing that is not exposed" get 8081/
status 4 "its name is taken" dock isc-vm provision web --image minimal
status 4 "its port is taken" dock isc-vm provision other --image minimal --expose 8080:8080
like "$(cat "$TMP/out")" "'web'" "and the error says by whom"
ok "it is listed as emulated" json '.[0].emulated == true and .[0].state == "ready"' list
ok "enabling it again changes nothing" json '.changed == false' enable web
status 4 "an image in use stays" dock isc-vm image rm minimal

# --- libvirt sees it as any domain ----------------------------------------------------------------
# R6.7
like "$(dock virsh list --title)" "isc-web.*isc node web" "virsh lists it with its title"
dock virsh dumpxml isc-web >"$TMP/isc-web.xml"
ok "its XML is valid for libvirt" dock virt-xml-validate "$TMP/isc-web.xml" domain
like "$(dock virsh metadata isc-web urn:iscdock:node:1)" "minimal" "its metadata name the image"
unlike "$(cat "$TMP/isc-web.xml")" "hunter2" "its environment is not in the XML"

# --- who it is on the host ------------------------------------------------------------------------
# R3.1, T2, T3, T4, T17
pid=$(dock cat /run/libvirt/qemu/isc-web.pid)
uid=$(dock stat -c %u "/proc/$pid")
like "$uid" "^19000[0-9]{5}$" "QEMU runs under the node's own uid"
like "$(dock sh -c "tr '\0' ' ' </proc/$pid/cmdline")" "-sandbox on.*spawn=deny" "and sandboxed"
is "$(dock sh -c "awk '/^Groups/ { print \$2 \$3 }' /proc/$pid/status")" "$uid" "and in no group but its own"
ok "a second node gets ready beside it" vm provision two --image minimal --memory 128
pid2=$(dock cat /run/libvirt/qemu/isc-two.pid)
uid2=$(dock stat -c %u "/proc/$pid2")
isnt "$uid2" "$uid" "under another uid"
for path in /var/lib/isc-dock/nodes/two/overlay.qcow2 /run/isc-dock/nodes/two/config /var/lib/isc-dock/register.db \
	/var/lib/isc-dock/keys/dock.key /var/log/isc-dock/nodes/two/audit.log; do
	not_ok "the first node's uid cannot read $path" dock setpriv --reuid "$uid" --regid "$uid" --clear-groups cat "$path"
	ok "(which is there)" dock test -e "$path"
done
not_ok "nor the other's key in libvirt" dock setpriv --reuid "$uid" --regid "$uid" --clear-groups \
	sh -c 'cat /var/lib/libvirt/qemu/domain-*-isc-two/master-key.aes'
not_ok "nor write the image that both boot" dock setpriv --reuid "$uid" --regid "$uid" --clear-groups \
	sh -c 'echo >>/var/lib/isc-dock/images/*/root.*'
not_ok "nor open a socket to the outside" dock setpriv --reuid "$uid" --regid "$uid" --clear-groups \
	bash -c 'exec 3<>/dev/tcp/203.0.113.2/9'
not_ok "another node's uid does not get at its channels" dock setpriv --reuid "$uid2" --regid "$uid2" --clear-groups \
	python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect("/run/isc-dock/nodes/web/audit.sock")'
ok "who gets at them and is not its QEMU" dock \
	python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.connect("/run/isc-dock/nodes/web/audit.sock"); assert s.recv(1) == b""'
ok "is refused, and that is on record" on_record 'map(select(.kind == "channel.refused")) | length > 0'

# --- secrets --------------------------------------------------------------------------------------
# R5.4, T28
dock sh -c 'cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr "\0" "\n"' >"$TMP/procs"
unlike "$(grep -a hunter2-is-secret "$TMP/procs")" "hunter2" "the environment is in no process's arguments"
not_ok "nor in any file of the dock or of libvirt" dock grep -raF hunter2-is-secret /var/lib/isc-dock /var/log/isc-dock \
	/etc/libvirt /var/log/libvirt /var/lib/libvirt/qemu
not_ok "the daemon cannot be dumped by its own user" dock runuser -u isc-dock -- \
	sh -c 'cat /proc/$(pgrep -x isc-dockd)/environ'
is "$(dock sh -c 'virsh -q secret-dumpxml $(virsh -q secret-list | awk "NR==1 { print \$1 }") | grep -oE "(ephemeral|private)=.yes."' |
	wc -l)" 2 "libvirt's secrets are ephemeral and private"

# The overlay's key, as QEMU was given it: sealed in its arguments by a master key that only its uid can read.
key=$(dock python3 - "$pid" <<-'KEY'
	import base64, glob, json, re, subprocess, sys
	args = open(f"/proc/{sys.argv[1]}/cmdline").read().split("\0")
	secrets = [json.loads(a) for a in args if '"qom-type":"secret"' in a]
	master = open(next(s["file"] for s in secrets if "file" in s), "rb").read()
	for s in secrets:
	    if "data" in s:
	        print(subprocess.run(["openssl", "enc", "-d", "-aes-256-cbc", "-K", master.hex(), "-iv", base64.b64decode(s["iv"]).hex()],
	            input=base64.b64decode(s["data"]), stdout=subprocess.PIPE, check=True).stdout.decode())
	KEY
)
like "$key" "^[0-9a-f]{64}$" "the overlay's key is known to this test"
ok "(it does open the overlay)" dock sh -c "
	dd if=/var/lib/isc-dock/nodes/web/overlay.qcow2 of=/tmp/overlay status=none
	printf %s $key >/tmp/key
	qemu-io -r -U --object secret,id=k,file=/tmp/key --image-opts driver=qcow2,file.filename=/tmp/overlay,encrypt.format=luks,encrypt.key-secret=k \
		-c 'read 0 512' && rm /tmp/overlay /tmp/key"
# As text and as bytes, which may be any: no tool that goes by lines finds them.
find_key() { # in arguments, environments, logs, XML, state: a line each
	dock python3 - "$key" <<-'FIND'
		import glob, os, sys
		roots = ["/var/lib/isc-dock", "/run/isc-dock", "/etc/isc-dock", "/var/log", "/etc/libvirt", "/run/libvirt", "/var/lib/libvirt"]
		paths = glob.glob("/proc/[0-9]*/cmdline") + glob.glob("/proc/[0-9]*/environ")
		paths.remove(f"/proc/{os.getpid()}/cmdline")
		paths += [os.path.join(d, f) for r in roots for d, _, files in os.walk(r) for f in files]
		for path in paths:
		    try:
		        if not path.startswith("/proc/") and not os.path.isfile(path):
		            continue
		        with open(path, "rb") as f:
		            text = f.read()
		    except OSError:
		        continue # it is gone
		    for form in (sys.argv[1].encode(), bytes.fromhex(sys.argv[1])):
		        if form in text:
		            print(path)
	FIND
}
is "$(find_key)" '' "it is in no argument, environment, log, XML or file"
echo "$key" | dock python3 -c 'open("/run/isc-dock/planted", "wb").write(bytes.fromhex(input()))'
echo "key $key" | dock tee /var/log/planted >/dev/null
is "$(find_key | wc -l)" 2 "(one that was put there is found)"
dock rm /run/isc-dock/planted /var/log/planted

# --- the trail ------------------------------------------------------------------------------------
# R4.1, R4.2
ok "the start of its service is in its trail" sh -c "'$TOP'/tools/rig exec --name $RIG -- isc-vm audit web -n 0 --commands |
	grep -q httpd"
ok "auditors' tools read it" dock ausearch -if /var/log/isc-dock/nodes/web/audit.log -m EXECVE
ok "its chain holds" vm audit verify web
ok "what the service says is logged" sh -c "'$TOP'/tools/rig exec --name $RIG -- isc-vm logs web | grep -q response"

# --- roles ----------------------------------------------------------------------------------------
# R3.5, T30; R6.2: who is in quarantine stays there until security releases.
status 6 "one without a role may not even look" as nobody-role isc-vm list
status 0 "an auditor may look" as aud1 isc-vm list
status 6 "an auditor may not destroy" as aud1 isc-vm destroy two
status 0 "an operator may suspend" as op1 isc-vm suspend two
status 0 "and resume" as op1 isc-vm resume two
status 0 "an operator may quarantine" as op1 isc-vm quarantine two --reason suspicious
status 6 "and not release" as op1 isc-vm release two --reason innocent
status 5 "nothing enables a node in quarantine" dock isc-vm enable two
status 0 "an officer releases it" as sec1 isc-vm release two --reason innocent
ok "what was refused is on record" on_record 'map(select(.kind == "api.denied")) | length >= 2'

# --- behind the dock's back -----------------------------------------------------------------------
# R6.7, R6.5
dock virsh suspend isc-two >/dev/null
state_is() { json ".state == \"$2\"" show "$1"; }
wait_for 20 state_is two suspended
ok "somebody else's suspend is noticed" state_is two suspended
dock virsh resume isc-two >/dev/null
wait_for 20 state_is two ready
dock virsh destroy isc-two >/dev/null
wait_for 40 state_is two failed
ok "somebody else's stop is noticed, and the node put away" state_is two failed
not_ok "with its overlay" dock test -e /var/lib/isc-dock/nodes/two/overlay.qcow2
ok "it starts again" vm enable two
dock sh -c "kill -9 \$(cat /run/libvirt/qemu/isc-two.pid)"
wait_for 40 state_is two failed
ok "a killed hypervisor is noticed" state_is two failed
ok "the other node did not mind" get 8080/
# T18: an agent that falls silent, as one does whose kernel is somebody else's.  Here its whole machine is stopped.
told() { on_record "map(select(.kind == \"$1\" and .node == \"web\")) | length > 0"; }
dock sh -c "kill -STOP \$(cat /run/libvirt/qemu/isc-web.pid)"
ok "a node that tells nothing any more is an alarm" wait_for 120 told node.silent
dock sh -c "kill -CONT \$(cat /run/libvirt/qemu/isc-web.pid)"
ok "which ends when it is heard" wait_for 120 told node.heard
wait_for 60 state_is web ready
ok "and it serves" get 8080/

# --- daemons come and go --------------------------------------------------------------------------
rig() { "$TOP/tools/rig" "$1" --name "$RIG" "${@:2}"; }
ok "dockd is killed" rig restart dockd --signal KILL
ok "the node served on meanwhile" get 8080/
ok "and is known again" state_is web ready
ok "the collector is killed" rig restart collectord --signal KILL
sleep 3
before=$(dock sh -c 'grep -c . /var/log/isc-dock/nodes/web/service.log')
get 8080/ >/dev/null
more() { [ "$(dock sh -c 'cat /var/log/isc-dock/nodes/web/service.log | wc -l')" -gt "$before" ]; }
wait_for 40 more
ok "the node's log goes on after it" more
ok "and its chain still holds" vm audit verify web
rig stop libvirtd
status 0 "without libvirtd the dock still answers" dock isc-vm list
status 8 "says what is amiss when it is needed" dock isc-vm enable two
ok "and cuts off" vm quarantine web --reason 'no libvirt'
not_ok "at once" get 8080/
rig start libvirtd
wait_for 40 json 'map(select(.name == "libvirt"))[0].ok' doctor
ok "with libvirtd back an officer releases" vm release web --reason 'libvirt is back'
ok "and the client reaches it again" get 8080/
ok "somebody flushes all rules" dock nft flush ruleset
wait_for 20 get 8080/
ok "they are back, and so is the service" get 8080/
ok "which is on record" on_record 'map(select(.kind == "boundary.drift")) | length > 0'

# --- gone -----------------------------------------------------------------------------------------
ok "a snapshot of it is taken" vm snapshot create web s1
status 4 "its name is taken" dock isc-vm snapshot create web s1
status 3 "a snapshot that is not there cannot be restored" dock isc-vm snapshot restore web s2
ok "it is restored" vm snapshot restore web s1
ok "and serves" get 8080/
uuid=$(dock isc-vm show web --json | jq -r .uuid)
rig stop libvirtd
rig start libvirtd
ok "a libvirtd that was started anew has the key of its overlay again" wait_for 15 dock sh -c "virsh -q secret-list | grep -q $uuid"
# A key in libvirtd that opens what nobody runs: of a node that is no more, of a copy whose maker has died, of a volume.
put_secret() {
	dock sh -c "printf '<secret ephemeral=\"yes\" private=\"yes\"><uuid>%s</uuid><usage type=\"volume\"><volume>%s</volume></usage></secret>' $1 '$2' >/run/secret.xml &&
		virsh -q secret-define /run/secret.xml"
}
for i in gone/overlay copy/web.snapshot.s9 volume/gone; do put_secret "$(cat /proc/sys/kernel/random/uuid)" "isc-$i" >/dev/null; done
put_secret "$(cat /proc/sys/kernel/random/uuid)" "/srv/somebody-elses" >/dev/null
# shellcheck disable=SC2016 # jq's
secrets() { dock isc-vm fsck --json "$@" | jq -r '[.[] | select(.what == "secret") | .name + (if .repaired then " gone" else "" end)] | sort | join(" ")'; }
is "$(secrets)" "isc-copy/web.snapshot.s9 isc-gone/overlay isc-volume/gone" "a key in libvirtd that is nobody's is found"
is "$(secrets --repair)" "isc-copy/web.snapshot.s9 gone isc-gone/overlay gone isc-volume/gone gone" "and taken away"
like "$(dock virsh -q secret-list)" "somebody-elses" "but none that is not the dock's"
dock sh -c 'virsh -q secret-undefine $(virsh -q secret-list | awk "/somebody-elses/ { print \$1 }")' >/dev/null
# R2.4
# T21: the files of the store are root's and immutable; somebody who is root changes one byte all the same.
root=/var/lib/isc-dock/images/$(dock isc-vm show two --json | jq -r .digest)/root.erofs
dock isc-vm disable two --force >/dev/null 2>&1
dock sh -c "chattr -i $root && cp $root /run/root && printf X | dd of=$root bs=1 seek=5000 conv=notrunc status=none"
status 7 "an image that was changed in the store starts nothing" dock isc-vm enable two
like "$(cat "$TMP/out")" "root.erofs" "and is named"
is "$(dock virsh -q domstate isc-two)" "shut off" "there is no machine of it"
dock sh -c "cat /run/root >$root"
ok "as it was it starts" vm enable two
# Nor is one told of that a verb is at: what is asked is asked until the verbs are through.
dock sh -c 'isc-vm disable two --force; isc-vm enable two; isc-vm snapshot create web s8; isc-vm snapshot delete web s8' >"$TMP/verbs" 2>&1 &
verbs=$! asked=0
while kill -0 $verbs 2>/dev/null; do
	secrets
	asked=$((asked + 1))
done >"$TMP/secrets"
note "asked $(grep -c '' "$TMP/secrets") times"
is "$(sort -u "$TMP/secrets")" "" "a key that a verb is at is in order"
ok "both nodes are destroyed" vm destroy web two
ok "the dock is in order" json '. == []' fsck
is "$(dock sh -c 'ls /var/lib/isc-dock/nodes /run/isc-dock/nodes | grep -v :' | tr -d '\n')" "" "no file is left"
is "$(dock virsh -q list --all)" "" "no domain is left"
is "$(dock virsh -q secret-list)" "" "no secret is left"
unlike "$(dock ip -br link)" isct "no tap is left"
is "$(dock nft list ruleset | grep "isct[0-9]" | grep -v expires)" "" "no rule is left"
unlike "$(dock ls /var/lib/isc-dock/keys)" '^(web|two)\.(snapshot|env)' "no key but the evidence's is left"
ok "the image may go now" vm image rm minimal
done_testing

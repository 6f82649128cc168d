#!/usr/bin/env bash
# What a node may use of the host: set at start, changed while it runs, read back; and what all of them may use.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

{
	cat "$TOP/tools/rig.d/dock.conf"
	printf '[Limits]\nMaxCPUs=1\nMaxDisk=200\nMaxMemory=300\n'
} >"$TMP/dock.conf"
rig_up limit --conf "$TMP/dock.conf"
rig() { "$TOP/tools/rig" "$1" --name "$RIG" "${@:2}"; }
vm() { dock isc-vm "$@"; }
json() {
	local filter=$1
	shift
	dock isc-vm "$@" --json | jq -e "$filter" >/dev/null
}
# What the kernel and QEMU enforce, not what anybody says of it.
quota() { # in percent of a CPU, of the first cgroup of the node's that has a limit; "none"
	dock sh -c 'for f in $(find /sys/fs/cgroup -path "*isc*n*" \( -name cpu.cfs_quota_us -o -name cpu.max \)); do
		read -r quota _ <$f; case $quota in -1 | max) ;; *) echo $((quota / 1000)); exit ;; esac
	done; echo none'
}
weight() { # of a node against the others, as its cgroup has it: version 1 has shares, 1024 where version 2 has 100
	dock sh -c 'for f in $(find /sys/fs/cgroup -path "*-isc-'"$1"'.*" \( -name cpu.shares -o -name cpu.weight \) | sort | head -n 1); do
		echo "${f##*.} $(cat $f)"; done' | awk '$1 == "shares" { $2 = int($2 * 100 / 1024 + 0.91) } { print $2 }'
}
# iops, bytes read and written a second: those of all its disks, which share one group
disks() {
	dock virsh qemu-monitor-command isc-n '{"execute":"query-block"}' |
		jq -r '[.return[].inserted | "\(.iops) \(.bps_rd) \(.bps_wr) \(.group // "-")"] | unique | join("; ")'
}
bandwidth() { vm network show n --json | jq -r '.bandwidth // "none"'; }

ok "the image is imported" vm image import "$BUILD/images/minimal"
provision() { vm provision "$1" --image minimal "${@:2}"; }
m() { provision m --memory "$1" --overlay "$2" "${@:3}"; }
status 2 "a limit that is none is refused" provision n --cpu-quota half
like "$(cat "$TMP/out")" "--cpu-quota: 'half' is no share" "by its name"
status 2 "or a weight" provision n --cpu-weight 0
like "$(cat "$TMP/out")" "--cpu-weight: '0' is no weight from 1 to 10000" "by its name"
ok "a node with limits" provision n --memory 96 --overlay 64 --cpu-quota 60% --cpu-weight 20 --iops 500 --io-write-bandwidth 20M --protect
is "$(quota)" 60 "has its share of a CPU"
is "$(weight n)" 20 "and its weight"
is "$(disks)" "500 0 20000000 node" "and its disks theirs"
ok "which it shows, as ordered and as in force" json \
	'.limits == "CPUQuota=60% CPUWeight=20 IOWriteBandwidth=20M IOPS=500" and .["limits-in-force"] == .limits' show n
status 5 "--protect protects it" vm destroy n
vm unprotect n >/dev/null

# --- changed while it runs (R1.10, R6.6) ----------------------------------------------------------
status 2 "a change to nothing is refused" vm limit n
status 2 "so is one to nonsense" vm limit n --iops many
status 6 "an auditor may not change limits" as aud1 isc-vm limit n --iops none
is "$(vm limit n --cpu-quota 30% --dry-run)" "+ limits CPUQuota=60%>30%
~ define" "a dry run tells what would change"
is "$(quota)" 60 "and changes nothing"
ok "limits change while it runs" vm limit n --cpu-quota 30% --cpu-weight 10 --iops none --io-write-bandwidth none --io-read-bandwidth 30M --bandwidth 'out:1M'
is "$(quota) $(weight n)" "30 10" "the CPU's"
is "$(disks)" "0 30000000 0 node" "those of its disks"
is "$(bandwidth)" out:1M "the network's"
ok "what it is on record for is what holds" json '.limits == "CPUQuota=30% CPUWeight=10 IOReadBandwidth=30M" and .["limits-in-force"] == .limits' show n
dock virsh dumpxml isc-n --inactive >"$TMP/xml"
like "$(cat "$TMP/xml")" "<shares>10[02]?</shares>.*<global_quota>30000</global_quota>" "and what its definition says"
ok "what is so already is no change" json '.changed | not' limit n --cpu-quota 30% --cpu-weight 10
dock isc-vm limit n --memory 128 >"$TMP/memory" 2>&1
like "$(cat "$TMP/memory")" "Memory=: not in force before its next start" "of memory it says that it waits"

# --- the dock dies in the middle ------------------------------------------------------------------
for step in 0 1; do
	rig restart dockd --env "ISC_FAULT=kill:limit:$step" >/dev/null 2>&1
	vm limit n --cpu-quota "$((44 + step))%" >/dev/null 2>&1
	rig restart dockd >/dev/null 2>&1
	is "$(quota) $(vm show n --json | jq -r .limits)" "$((44 + step)) CPUQuota=$((44 + step))% CPUWeight=10 IOReadBandwidth=30M" \
		"a change that is interrupted before step $step is brought to its end"
done

# --- the next start (R6.6) ------------------------------------------------------------------------
ok "it starts anew" vm disable n
ok "with them" vm enable n
is "$(quota) $(weight n) $(dock virsh dominfo isc-n | awk '/^Max memory/ {print $3}')" "45 10 131072" "in force, memory too"

# --- all nodes together (R6.6) --------------------------------------------------------------------
status 5 "CPUs beyond the ceiling are refused" m 96 64
like "$(cat "$TMP/out")" "max-cpus: needs 100% of a CPU, and 55% of 100% are free" "with need and have"
status 5 "memory, too" m 200 64 --cpu-quota 50%
like "$(cat "$TMP/out")" "max-memory: needs 200 MiB, and 172 of 300" "with need and have"
status 5 "and disk" m 96 160 --cpu-quota 50%
like "$(cat "$TMP/out")" "max-disk: its overlay may grow to 160 MiB, and 136 of 200" "with need and have"
status 5 "a volume counts" vm volume create v 137M
ok "one that fits is made" vm volume create v 100M
status 5 "and then there is less for nodes" m 96 64 --cpu-quota 50%
ok "a node that fits is provisioned" m 96 32 --cpu-quota 50% --machine q35 --iops 200
is "$(weight m)" 100 "one that says nothing of its weight has that of all"
ok "a heavier one takes nothing that was promised to others" vm limit m --cpu-weight 10000
is "$(weight m)" 10000 "and is it at once"
ok "100 is as good as none" vm limit m --cpu-weight 100
is "$(weight m) $(vm show m --json | jq -r .limits)" "100 CPUQuota=50% IOPS=200" "it has that of all again"
finds() { vm doctor --json | jq -r --arg name "$1" '.[] | select(.name == $name) | "\(.level) \(.found)"'; }
machine=/sys/fs/cgroup/cpu/machine/cpu.shares # version 1
if dock test -e $machine; then
	like "$(finds cpu-weight)" "^ok " "all of them together weigh less than the dock itself"
	was=$(dock cat $machine)
	dock sh -c "echo 1024 >$machine"
	like "$(finds cpu-weight)" "^warn $machine is 1024:" "doctor: where they do not it is told"
	dock sh -c "echo $was >$machine"
else
	skip "all of them together weigh less than the dock itself" "no version 1 of cgroups"
fi
status 5 "a node that runs may not get more than there is" vm limit m --cpu-quota 60%
ok "and keeps what it had" json '.limits == "CPUQuota=50% IOPS=200" and .["limits-in-force"] == .limits' show m
ok "less is always granted" vm limit m --cpu-quota 5%

# --- what is on the disk although nobody runs (R6.6) ----------------------------------------------
vm volume rm v >/dev/null
vm volume create v 104M >/dev/null
status 5 "a snapshot beyond the ceiling is refused" vm snapshot create m s
like "$(cat "$TMP/out")" "max-disk: a snapshot of node 'm' may take [0-9]+ MiB, and 0 of 200" "with need and have"
vm volume rm v >/dev/null
ok "one that fits is taken" vm snapshot create m s
left=$(vm snapshot list m --json | jq '200 - 64 - 32 - ((.[0].size + 1048575) / 1048576 | floor)')
status 5 "and counts" vm volume create v "$((left + 1))M"
ok "a node that is down and keeps its scratch space" provision k --no-enable --memory 64 --cpu-quota 20% --overlay 32:keep
status 5 "counts" vm volume create v "$((left - 31))M"
like "$(cat "$TMP/out")" "and $((left - 32)) of 200" "with all of it"
ok "all that is left may be had" vm volume create v "$((left - 32))M"
ok "the dock is in order" json '. == []' fsck
done_testing

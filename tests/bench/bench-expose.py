#!/usr/bin/env python3
"""What goes through an exposed port, against the same VM on libvirt's own NAT network: goal R1.

Two rigs, so that neither's rules are in the other's way.  In the one a node with iperf3 is exposed.  In the other, which
has no dock, libvirt starts the same XML, but for its interface, which is on a network of <forward mode='nat'/>, and a
DNAT rule leads to it, as its users have it.  iperf3 asks from outside, in turns, both directions; the first round is
dropped.  Both are emulated where there is no KVM, and then the CPU of the guest decides more than the way to it.
usage: bench-expose.py [-n ROUNDS] [-t SECONDS]     needs root, iperf3, BUILD/images/iperf3
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import time

from byhand import PEER_GATEWAY, PEER_IP, PEER_MAC, Peer, run

top = pathlib.Path(__file__).resolve().parents[2]
image = pathlib.Path(os.environ.get("ISC_BUILD", top / "build")).resolve() / "images/iperf3"
PORT, MIB = "5201", 64
# libvirt's default network; without names and addresses to give, it needs no dnsmasq.
NETWORK = f"""<network><name>peer</name><forward mode='nat'/><bridge name='peer0' stp='on' delay='0'/><dns enable='no'/>
<ip address='{PEER_GATEWAY}' netmask='255.255.255.0'/></network>"""
INTERFACE = f"""<interface type='network'><source network='peer'/><mac address='{PEER_MAC}'/><model type='virtio'/>
<driver name='qemu'/><address type='virtio-mmio'/></interface>"""


def inside_peer(xml):
    """In the rig without a dock."""
    peer = Peer(xml)
    xml = re.sub(r"<interface type='ethernet'>.*?</interface>", INTERFACE, peer.ours, flags=re.S)
    # Nobody reads its audit: what it writes there goes nowhere, and costs it nothing either.
    xml = re.sub(r"<channel type='unix'>\s*<source.*?</source>", "<channel type='null'>", xml, flags=re.S)
    xml = re.sub(r"/[^<>'\"]*/images/[^/<>'\"]*/(\w+(?:\.\w+)?)", rf"{image}/\1", xml)
    os.makedirs("/var/lib/libvirt/dnsmasq", exist_ok=True)  # where libvirt keeps the MAC addresses of its networks
    run("virsh", "-q", "net-define", "/dev/stdin", input=NETWORK)
    run("virsh", "-q", "net-start", "peer")
    run("iptables", "-t", "nat", "-A", "PREROUTING", "-i", "wan0", "-p", "tcp", "--dport", PORT, "-j", "DNAT", "--to",
        f"{PEER_IP}:{PORT}")
    run("iptables", "-I", "FORWARD", "-o", "peer0", "-d", PEER_IP, "-p", "tcp", "--dport", PORT, "-j", "ACCEPT")
    peer.overlay("encrypt.iter-time=10")
    peer.define(xml)
    peer.start()


class Rig:
    def __init__(self, word, *options):
        self.rig, self.name = str(top / "tools/rig"), f"bench{os.getpid()}-{word}"
        self.address = run(self.rig, "up", "--name", self.name, "--for", str(os.getpid()), *options).strip()

    def inside(self, *argv, **more):
        return run(self.rig, "exec", "--name", self.name, "--", *argv, **more)

    def measure(self, seconds, *options):
        """ms for MIB, by iperf3's client outside."""
        said = run(self.rig, "client", "--name", self.name, "--", "iperf3", "-c", self.address, "-p", PORT, "-t",
                   str(seconds), "-O", "1", "-J", *options)
        return MIB * 2**20 * 8 / json.loads(said)["end"]["sum_received"]["bits_per_second"] * 1000

    def wait(self):
        end = time.monotonic() + 60
        while True:
            try:
                return self.measure(1)
            except (subprocess.CalledProcessError, KeyError, ZeroDivisionError):
                if time.monotonic() > end:
                    raise
                time.sleep(0.5)

    def down(self):
        subprocess.run([self.rig, "down", "--name", self.name], stderr=subprocess.DEVNULL)


def at(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))] if values else None


def line(what, values, failed, peer=None):
    mbit = [MIB * 2**20 * 8 / ms / 1000 for ms in values]
    entry = {"id": "R1", "what": what, "n": len(values), "p50_ms": at(values, 0.5), "p99_ms": at(values, 0.99),
             "max_ms": max(values, default=None), "failures": failed, "mbit_s": [round(m) for m in mbit]}
    if peer and values:
        entry.update(ratio=at(values, 0.5) / at(peer, 0.5), goal="<= 1.03")
        entry["met"] = entry["ratio"] <= 1.03
    print(json.dumps(entry))


def measure(dock, peer, rounds, seconds):
    ways = {"to": (), "from": ("-R",)}
    took, failed = {(who, way): [] for who in ("dock", "peer") for way in ways}, dict.fromkeys(("dock", "peer"), 0)
    for turn in range(rounds + 1):
        print(f"bench-expose: round {turn} of {rounds}", file=sys.stderr, flush=True)
        for way, options in ways.items():
            # Who begins takes turns, too.
            for who, rig in sorted((("dock", dock), ("peer", peer)), reverse=turn % 2 == 1):
                try:
                    value = rig.measure(seconds, *options)
                    if turn > 0:
                        took[who, way].append(value)
                except (subprocess.CalledProcessError, KeyError, ZeroDivisionError) as why:
                    failed[who] += 1
                    print(f"bench-expose: {who}: {why} {getattr(why, 'stdout', '')}", file=sys.stderr)
    print(json.dumps({"kernel": os.uname().release, "machine": os.uname().machine, "cores": os.cpu_count(),
                      "qemu": run("qemu-system-x86_64", "--version").splitlines()[0]}))
    for way in ways:
        line(f"{MIB} MiB by iperf3 {way} an exposed port", took["dock", way], failed["dock"], took["peer", way])
        line("  the same VM on libvirt's NAT network", took["peer", way], failed["peer"])
    return 1 if sum(failed.values()) else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=10, metavar="ROUNDS")
    parser.add_argument("-t", type=int, default=2, metavar="SECONDS", help="of each measurement")
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        return inside_peer(sys.stdin.read())
    if os.geteuid() != 0 or not (image / "manifest.json").exists():
        print("bench-expose: needs root and BUILD/images/iperf3 (make images)", file=sys.stderr)
        return 8
    rigs = []
    try:
        rigs.append(Rig("dock"))
        rigs.append(Rig("peer", "--bare"))
        dock, peer = rigs
        dock.inside("isc-vm", "image", "import", str(image))
        dock.inside("isc-vm", "provision", "speed", "--image", "iperf3", "--overlay", "64", "--expose", f"{PORT}:{PORT}")
        xml = dock.inside("virsh", "dumpxml", "--inactive", "isc-speed")
        peer.inside(sys.executable, __file__, "--peer", input=xml)
        for rig in rigs:
            rig.wait()
        return measure(dock, peer, args.n, args.t)
    finally:
        for rig in rigs:
            rig.down()


if __name__ == "__main__":
    sys.exit(main())

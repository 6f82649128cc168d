#!/usr/bin/env python3
"""Starting a node, cutting it off, removing it, against the same by hand: goals G3, G5, G6 and G7.

Runs in a rig of its own, rounds interleaved, the first one of each dropped.  Peers are a shell script's way: an overlay
by qemu-img, `virsh define` and `virsh start`, then asking the service until it answers.
  G5  from `isc-vm enable` to libvirt's "started" event  |  `virsh start` of the same XML, all else made before
  G3  `isc-vm provision` until it returns: the node is ready, its service was asked  |  qemu-img's defaults and a q35 with
      every default and the kernel's, until the service answers  |  the same with iter-time=10 and our XML
  G6  `isc-vm destroy` of a node that runs, until it returns: keys, files, rules, tap are gone  |  virsh destroy and
      undefine, its secret, its rules by the nft command, rm
  G7  from isc-dockd's being called until it has the drop in force  |  the nft command and virsh suspend.  Beside it, from
      the start of `isc-vm quarantine` until the kernel tells of the drop
usage: bench-start.py [-n ROUNDS]     needs root, BUILD/images/minimal
"""
import argparse
import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import threading
import time

from byhand import Peer, run

top = pathlib.Path(__file__).resolve().parents[2]
build = pathlib.Path(os.environ.get("ISC_BUILD", top / "build"))
image = next((d for d in (build / "images/minimal", top / "build/images/minimal") if (d / "manifest.json").exists()), None)


def ms(since):
    return (time.monotonic() - since) * 1000


class Events:
    """When domains were started, by libvirt's events."""

    def __init__(self):
        self.tool = subprocess.Popen([build / "tests/vm/vm-tool"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.started, self.news = {}, threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.tool.stdout:
            if line.startswith("event started "):
                with self.news:
                    self.started[line.split()[2]] = time.monotonic()
                    self.news.notify_all()

    def wait(self, domain, after):
        with self.news:
            if not self.news.wait_for(lambda: self.started.get(domain, 0) > after, 60):
                raise RuntimeError(f"{domain} was not started")
            return self.started[domain]


NETLINK_NETFILTER, NFNLGRP_NFTABLES, NEW_ELEMENTS, SO_RCVBUFFORCE = 12, 7, 10 << 8 | 12, 33


class Cuts:
    """When a node was cut off, by what the kernel tells of its sets."""

    def __init__(self):
        self.kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self.kernel.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)  # it tells nobody twice
        self.kernel.bind((0, 1 << NFNLGRP_NFTABLES - 1))
        self.seen, self.news = 0.0, threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while True:
            said, at = self.kernel.recv(1 << 16), 0
            while at < len(said):  # all of a transaction comes at once
                length, kind = struct.unpack_from("=IH", said, at)
                if kind == NEW_ELEMENTS and b"\0quarantined\0" in said[at:at + length]:
                    with self.news:
                        self.seen = time.monotonic()
                        self.news.notify_all()
                at += max(length + 3 & ~3, 16)

    def wait(self, after):
        with self.news:
            if not self.news.wait_for(lambda: self.seen > after, 60):
                raise RuntimeError("nobody was cut off")
            return self.seen


PEER_RULES = """table inet peer {
 set cut { type ipv4_addr; }
 chain nat { type nat hook prerouting priority -100; iifname "wan0" tcp dport 8082 dnat ip to 10.99.0.2:8080; }
 chain forward { type filter hook forward priority 0; ip saddr @cut drop; ip daddr @cut drop; ct status dnat accept; }
}
"""


def inside(rounds):
    run("isc-vm", "image", "import", str(image))
    run("isc-vm", "provision", "model", "--image", "minimal", "--overlay", "64", "--expose", "8080:8080")
    peer, events, cuts = Peer(run("virsh", "dumpxml", "--inactive", "isc-model")), Events(), Cuts()
    peer.plug_in()
    run("isc-vm", "disable", "model")

    def enable():
        began = time.monotonic()
        cli = subprocess.Popen(["isc-vm", "enable", "model"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        took = (events.wait("isc-model", began) - began) * 1000
        if cli.wait() != 0:
            raise RuntimeError("enable failed")
        began = time.monotonic()
        cli = subprocess.Popen(["isc-vm", "quarantine", "model", "--reason", "measured", "--json"], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
        seen = (cuts.wait(began) - began) * 1000
        said = json.loads(cli.communicate()[0])
        if cli.returncode != 0:
            raise RuntimeError("quarantine failed")
        run("isc-vm", "release", "model", "--reason", "measured")
        run("isc-vm", "disable", "model")
        return {"dock": took, "quarantine": said["cut-off"], "quarantine-seen": seen}

    def libvirt():
        peer.overlay("encrypt.iter-time=10")
        peer.define(peer.ours)
        began = time.monotonic()
        peer.start()
        took = ms(began)
        run("nft", "-f", "-", input=PEER_RULES)
        began = time.monotonic()
        run("nft", "add", "element", "inet", "peer", "cut", "{ 10.99.0.2 }")
        run("virsh", "-q", "suspend", "peer")
        cut = ms(began)
        return {"libvirt": took, "quarantine-by-hand": cut}

    def provision():
        began = time.monotonic()
        run("isc-vm", "provision", "cold", "--image", "minimal", "--overlay", "64", "--expose", "8081:8080")
        took = ms(began)
        began = time.monotonic()
        run("isc-vm", "destroy", "cold")
        return {"provision": took, "destroy": ms(began)}

    def script(name, xml, *options):
        began = time.monotonic()
        peer.overlay(*options)
        peer.define(xml)
        peer.start()
        peer.answer(8080)
        took = ms(began)
        run("nft", "-f", "-", input=PEER_RULES)
        began = time.monotonic()
        run("virsh", "-q", "destroy", "peer")
        run("nft", "delete", "table", "inet", "peer")
        run("virsh", "-q", "undefine", "peer")
        run("virsh", "-q", "secret-undefine", peer.secret)
        peer.disk.unlink()
        return {name: took, f"{name}-destroy": ms(began)}

    cases = {
        ("dock", "quarantine", "quarantine-seen"): enable,
        ("libvirt", "quarantine-by-hand"): libvirt,
        ("provision", "destroy"): provision,
        ("stock", "stock-destroy"): lambda: script("stock", peer.stock),
        ("same-guest", "same-guest-destroy"): lambda: script("same-guest", peer.ours, "encrypt.iter-time=10"),
    }
    took = {name: [] for names in cases for name in names}
    failed = dict.fromkeys(took, 0)
    for turn in range(rounds + 1):
        print(f"bench-start: round {turn} of {rounds}", file=sys.stderr, flush=True)
        for names, case in cases.items():
            try:
                values = case()
                for name in names if turn > 0 else ():  # the first round fills caches
                    took[name].append(values[name])
            except (RuntimeError, OSError, subprocess.CalledProcessError) as why:
                for name in names:
                    failed[name] += 1
                print(f"bench-start: {names[0]}: {why} {getattr(why, 'stderr', '') or ''}", file=sys.stderr)
                subprocess.run(["isc-vm", "destroy", "cold"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                subprocess.run(["isc-vm", "disable", "model"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            finally:
                peer.away()
                subprocess.run(["nft", "delete", "table", "inet", "peer"], stderr=subprocess.DEVNULL)
    run("isc-vm", "destroy", "model")
    return report(took, failed)


def at(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))] if values else None


def report(took, failed):
    machine = {"kernel": os.uname().release, "machine": os.uname().machine, "cores": os.cpu_count(),
               "qemu": run("qemu-system-x86_64", "--version").splitlines()[0]}
    print(json.dumps(machine))
    half = {name: at(values, 0.5) for name, values in took.items()}

    def line(goal_id, what, name, ratio=None, goal="", met=None):
        values = took[name]
        entry = {"id": goal_id, "what": what, "n": len(values), "p50_ms": half[name], "p99_ms": at(values, 0.99),
                 "max_ms": max(values, default=None), "failures": failed[name]}
        if ratio is not None:
            entry.update(ratio=ratio, goal=goal, met=met)
        print(json.dumps(entry))

    def ratio(over, under):
        return half[over] / half[under] if half[over] and half[under] else None

    added, stock, same = ratio("dock", "libvirt"), ratio("stock", "provision"), ratio("same-guest", "provision")
    line("G5", "isc-vm enable until libvirt says started", "dock", added, "<= 1.15", added is not None and added <= 1.15)
    line("G5", "  virsh start of the same XML", "libvirt")
    line("G3", "isc-vm provision until ready", "provision")
    line("G3", "  qemu-img, virsh, stock q35 until it answers", "stock", stock, ">= 5", stock is not None and stock >= 5)
    line("G3", "  iter-time=10, virsh, our XML until it answers", "same-guest", same, ">= 2", same is not None and same >= 2)
    gone, cut = ratio("same-guest-destroy", "destroy"), ratio("quarantine-by-hand", "quarantine")
    line("G6", "isc-vm destroy", "destroy", gone, ">= 1", gone is not None and gone >= 1)
    line("G6", "  virsh, nft, rm", "same-guest-destroy")
    line("G6", "  virsh, nft, rm of the stock q35", "stock-destroy")
    line("G7", "quarantine: call until the drop", "quarantine", cut, ">= 15", cut is not None and cut >= 15)
    line("G7", "  with the start of isc-vm, as the kernel tells", "quarantine-seen")
    line("G7", "  nft, virsh suspend", "quarantine-by-hand")
    return 1 if sum(failed.values()) else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=8, metavar="ROUNDS")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inside:
        return inside(args.n)
    if os.geteuid() != 0 or image is None:
        print("bench-start: needs root and BUILD/images/minimal (make images)", file=sys.stderr)
        return 8
    name, rig = f"bench{os.getpid()}", str(top / "tools/rig")
    run(rig, "up", "--name", name, "--for", str(os.getpid()))
    try:
        return subprocess.run([rig, "exec", "--name", name, "--", sys.executable, __file__, "--inside", "-n",
                               str(args.n)]).returncode
    finally:
        subprocess.run([rig, "down", "--name", name])


sys.exit(main())

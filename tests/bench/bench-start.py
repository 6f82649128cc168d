#!/usr/bin/env python3
"""Starting a node, against the same by hand: goals G3 and G5.

Runs in a rig of its own, rounds interleaved, the first one of each dropped.  Peers are a shell script's way: an overlay
by qemu-img, `virsh define` and `virsh start`, then asking the service until it answers.
  G5  from `isc-vm enable` to libvirt's "started" event  |  `virsh start` of the same XML, all else made before
  G3  `isc-vm provision` until it returns: the node is ready, its service was asked  |  qemu-img's defaults and a q35 with
      every default and the kernel's, until the service answers  |  the same with iter-time=10 and our XML
usage: bench-start.py [-n ROUNDS]     needs root, BUILD/images/minimal
"""
import argparse
import json
import os
import pathlib
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


def inside(rounds):
    run("isc-vm", "image", "import", str(image))
    run("isc-vm", "provision", "model", "--image", "minimal", "--overlay", "64", "--expose", "8080:8080")
    peer, events = Peer(run("virsh", "dumpxml", "--inactive", "isc-model")), Events()
    peer.plug_in()
    run("isc-vm", "disable", "model")

    def enable():
        began = time.monotonic()
        cli = subprocess.Popen(["isc-vm", "enable", "model"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        took = (events.wait("isc-model", began) - began) * 1000
        if cli.wait() != 0:
            raise RuntimeError("enable failed")
        run("isc-vm", "disable", "model")
        return took

    def libvirt():
        peer.overlay("encrypt.iter-time=10")
        peer.define(peer.ours)
        began = time.monotonic()
        peer.start()
        return ms(began)

    def provision():
        began = time.monotonic()
        run("isc-vm", "provision", "cold", "--image", "minimal", "--overlay", "64", "--expose", "8081:8080")
        took = ms(began)
        run("isc-vm", "destroy", "cold")
        return took

    def script(xml, *options):
        began = time.monotonic()
        peer.overlay(*options)
        peer.define(xml)
        peer.start()
        peer.answer(8080)
        return ms(began)

    cases = {
        "dock": enable,
        "libvirt": libvirt,
        "provision": provision,
        "stock": lambda: script(peer.stock),
        "same-guest": lambda: script(peer.ours, "encrypt.iter-time=10"),
    }
    took, failed = {name: [] for name in cases}, dict.fromkeys(cases, 0)
    for turn in range(rounds + 1):
        print(f"bench-start: round {turn} of {rounds}", file=sys.stderr, flush=True)
        for name, case in cases.items():
            try:
                value = case()
                if turn > 0:  # the first one fills caches
                    took[name].append(value)
            except (RuntimeError, subprocess.CalledProcessError) as why:
                failed[name] += 1
                print(f"bench-start: {name}: {why} {getattr(why, 'stderr', '') or ''}", file=sys.stderr)
                subprocess.run(["isc-vm", "destroy", "cold"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                subprocess.run(["isc-vm", "disable", "model"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            finally:
                peer.away()
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

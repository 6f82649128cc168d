#!/usr/bin/env python3
"""A snapshot of a node that runs, against what an admin would take of the same disk by hand.

A redis that keeps its overlay has saved 64 MiB of noise in it.  In turns, the first round dropped, each copy on disk
(fsync) before its time ends, then removed:
  dock      `isc-vm snapshot create`: file systems frozen, copied, hashed, signed, and its key in the store
  plain     `qemu-img create` and `virsh backup-begin --reuse-external` until its job has ended: in the clear, nobody frozen
  luks      the same to LUKS with iter-time=10; qemu-img fails at random, and is asked again, as a script would
  convert   `qemu-img convert -U` below the running QEMU, to LUKS with iter-time=10: what it reads is of no one moment
Libvirt cannot make the target itself: it would be root's, and the node's QEMU, which has a uid of its own, may not open it.
usage: bench-snapshot.py [-n ROUNDS]     needs root, redis-cli, BUILD/images/redis
"""
import argparse
import ctypes
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import time
import uuid

from byhand import PEER_DIR, run

top = pathlib.Path(__file__).resolve().parents[2]
image = pathlib.Path(os.environ.get("ISC_BUILD", top / "build")).resolve() / "images/redis"
STATE = pathlib.Path("/var/lib/isc-dock")
PIECES, PIECE_MIB, OVERLAY_MIB, TRIES = 4, 16, 256, 15
COPY = f"{PEER_DIR}/copy.qcow2"


def unseal(key_id):
    """A key of the key store (dock/store/keys.h), for qemu-img to open the same disk."""
    sodium = ctypes.CDLL("libsodium.so.23")
    sealed = (STATE / "keys" / f"{key_id}.sealed").read_bytes()
    dock_key = (STATE / "keys" / "dock.key").read_bytes()
    magic, nonce, text = sealed[:8], sealed[8:32], sealed[32:]
    also, out = magic + key_id.encode(), ctypes.create_string_buffer(32)
    if sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(out, None, None, text, ctypes.c_ulonglong(len(text)), also,
                                                         ctypes.c_ulonglong(len(also)), nonce, dock_key) != 0:
        raise RuntimeError(f"the key '{key_id}' cannot be opened")
    return out.raw.hex()


class Jobs:
    """The jobs of a domain that have ended, by libvirt's events."""

    def __init__(self, domain):
        self.tool = subprocess.Popen(["stdbuf", "-oL", "virsh", "event", "--domain", domain, "--event", "job-completed",
                                      "--loop"], stdout=subprocess.PIPE, text=True)
        self.ended, self.news = 0, threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.tool.stdout:
            if line.startswith("event 'job-completed'"):
                with self.news:
                    self.ended += 1
                    self.news.notify_all()

    def wait(self, before):
        with self.news:
            if not self.news.wait_for(lambda: self.ended > before, 60):
                raise RuntimeError("libvirt does not say that the job has ended")


class Peer:
    def __init__(self, node):
        self.domain, self.jobs = f"isc-{node}", Jobs(f"isc-{node}")
        self.disk, self.secret = STATE / "nodes" / node / "overlay.qcow2", str(uuid.uuid4())
        self.uid = uid = int(re.search(r"<label>\+(\d+):", run("virsh", "dumpxml", self.domain))[1])
        os.makedirs(PEER_DIR, mode=0o711, exist_ok=True)
        os.chown(PEER_DIR, uid, uid)
        self.source_key, self.copy_key = f"{PEER_DIR}/source.key", f"{PEER_DIR}/copy.key"
        for path, key in ((self.source_key, unseal(f"{node}.overlay")), (self.copy_key, os.urandom(32).hex())):
            pathlib.Path(path).write_text(key)
        run("virsh", "-q", "secret-define", "/dev/stdin",
            input=f"<secret ephemeral='yes' private='yes'><uuid>{self.secret}</uuid><usage type='volume'>"
                  "<volume>copy</volume></usage></secret>")
        run("virsh", "-q", "secret-set-value", self.secret, "--file", self.copy_key, "--plain")

    def create(self, *options):
        for left in reversed(range(TRIES)):
            try:
                run("qemu-img", "create", "-q", "-f", "qcow2", *options, COPY, f"{OVERLAY_MIB}M")
                break
            except subprocess.CalledProcessError:
                if left == 0:
                    raise
        os.chown(COPY, self.uid, self.uid)

    def backup(self, inside_target=""):
        xml = ("<domainbackup mode='push'><disks><disk name='vda' backup='no'/><disk name='vdb' backup='yes' type='file'>"
               f"<driver type='qcow2'/><target file='{COPY}'>{inside_target}</target></disk></disks></domainbackup>")
        before = self.jobs.ended
        run("virsh", "-q", "backup-begin", self.domain, "/dev/stdin", "--reuse-external", input=xml)
        self.jobs.wait(before)

    def plain(self):
        self.create()
        self.backup()

    def luks(self):
        self.create("--object", f"secret,id=to,file={self.copy_key}", "-o",
                    "encrypt.format=luks,encrypt.key-secret=to,encrypt.iter-time=10")
        self.backup(f"<encryption format='luks'><secret type='passphrase' uuid='{self.secret}'/></encryption>")

    def convert(self):
        run("qemu-img", "convert", "-q", "-U", "--object", f"secret,id=from,file={self.source_key}", "--object",
            f"secret,id=to,file={self.copy_key}", "--image-opts",
            f"driver=qcow2,file.driver=file,file.filename={self.disk},encrypt.format=luks,encrypt.key-secret=from",
            "-O", "qcow2", "-o", "encrypt.format=luks,encrypt.key-secret=to,encrypt.iter-time=10", COPY)


def away():
    pathlib.Path(COPY).unlink(missing_ok=True)


def on_disk():
    """The copy, and it is one: a case that copies nothing is quick."""
    with open(COPY, "rb") as f:
        os.fsync(f.fileno())
    taken = os.stat(COPY).st_blocks * 512
    if taken < PIECES * PIECE_MIB << 20:
        raise RuntimeError(f"the copy has {taken} bytes only")


def ms(since):
    return (time.monotonic() - since) * 1000


def inside(rounds, node):
    peer = Peer(node)

    def dock():
        before, began = peer.jobs.ended, time.monotonic()
        run("isc-vm", "snapshot", "create", node, "s")
        took = ms(began)
        peer.jobs.wait(before)  # or its end would be taken for that of a peer's job
        return took

    def by_hand(copy):
        began = time.monotonic()
        copy()
        on_disk()
        return ms(began)

    cases = {
        "dock": dock,
        "plain": lambda: by_hand(peer.plain),
        "luks": lambda: by_hand(peer.luks),
        "convert": lambda: by_hand(peer.convert),
    }
    took, failed = {name: [] for name in cases}, dict.fromkeys(cases, 0)
    for turn in range(rounds + 1):
        print(f"bench-snapshot: round {turn} of {rounds}", file=sys.stderr, flush=True)
        # Who begins takes turns, too.
        for name in list(cases) if turn % 2 else reversed(cases):
            try:
                value = cases[name]()
                if turn > 0:  # the first one fills caches
                    took[name].append(value)
            except (RuntimeError, OSError, subprocess.CalledProcessError) as why:
                failed[name] += 1
                print(f"bench-snapshot: {name}: {why}", file=sys.stderr)
            finally:
                away()
                if name == "dock":
                    subprocess.run(["isc-vm", "snapshot", "delete", node, "s"], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
    peer.jobs.tool.terminate()
    return report(took, failed)


def at(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))] if values else None


def report(took, failed):
    print(json.dumps({"kernel": os.uname().release, "machine": os.uname().machine, "cores": os.cpu_count(),
                      "qemu": run("qemu-system-x86_64", "--version").splitlines()[0]}))
    texts = {
        "dock": f"isc-vm snapshot create, {PIECES * PIECE_MIB} MiB written",
        "plain": "  qemu-img create, virsh backup-begin, in the clear",
        "luks": "  qemu-img create iter-time=10, virsh backup-begin",
        "convert": "  qemu-img convert -U, LUKS, iter-time=10",
    }
    for name, values in took.items():
        entry = {"id": "snapshot", "what": texts[name], "n": len(values), "p50_ms": at(values, 0.5),
                 "p99_ms": at(values, 0.99), "max_ms": max(values, default=None), "failures": failed[name]}
        if name != "dock" and values and took["dock"]:
            entry["ratio"] = entry["p50_ms"] / at(took["dock"], 0.5)
        print(json.dumps(entry))
    return 1 if sum(failed.values()) else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=10, metavar="ROUNDS")
    parser.add_argument("--inside", metavar="NODE", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inside:
        return inside(args.n, args.inside)
    if os.geteuid() != 0 or not (image / "manifest.json").exists():
        print("bench-snapshot: needs root and BUILD/images/redis (make images)", file=sys.stderr)
        return 8
    name, rig = f"bench{os.getpid()}", str(top / "tools/rig")
    address = run(rig, "up", "--name", name, "--for", str(os.getpid())).strip()
    dock, client = ([rig, verb, "--name", name, "--"] for verb in ("exec", "client"))
    try:
        run(*dock, "isc-vm", "image", "import", str(image))
        run(*dock, "isc-vm", "provision", "kv", "--image", "redis", "--memory", "256", "--overlay", f"{OVERLAY_MIB}:keep", "--expose",
            "6379:6379")
        for piece in range(PIECES):
            subprocess.run([*client, "redis-cli", "-h", address, "-x", "SET", f"noise{piece}"], check=True,
                           stdout=subprocess.DEVNULL, input=os.urandom(PIECE_MIB << 20))
        run(*client, "redis-cli", "-h", address, "SAVE")
        return subprocess.run([*dock, sys.executable, __file__, "--inside", "kv", "-n", str(args.n)]).returncode
    finally:
        subprocess.run([rig, "down", "--name", name])


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""What the default audit policy costs inside a node, against the same node without audit.

Two nodes of each image, in a rig of its own: as the dock runs it, and with an init that begins no audit (unaudited/, which
only this benchmark builds).  All else is the same: image, kernel and its words, boundary, collector.  Measured in turns, the
first round dropped.
  exec   1,000 times vfork, execve and wait of a small static program: each is recorded with its arguments
  nginx  1,000 requests to nginx over 4 connections that stay open: nothing is recorded, but each call passes the rules
usage: bench-guest.py [-n ROUNDS]     needs root, the images vandal and nginx, and BUILD/bench/images
"""
import argparse
import http.client
import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

top = pathlib.Path(__file__).resolve().parents[2]
build = pathlib.Path(os.environ.get("ISC_BUILD", top / "build"))
COMMANDS, REQUESTS, CONNECTIONS = 100, 1000, 4
IMAGES = {"exec": "vandal", "nginx": "nginx"}
GUEST_PORTS = {"exec": 8080, "nginx": 80}
# what, whether with audit → the port outside
nodes = {("exec", True): 9001, ("exec", False): 9002, ("nginx", True): 9003, ("nginx", False): 9004}


def run(*argv, **more):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, **more).stdout


def name_of(what, audited):
    return what + ("-audited" if audited else "-not")


def ask_exec(host, port):
    """ms for 1,000 commands"""
    began = time.monotonic()
    with socket.create_connection((host, port), 120) as s:
        s.sendall(f"commands 1 {COMMANDS}\n".encode())
        said = s.makefile().readline()
    if said != f"ran {COMMANDS}\n":
        raise RuntimeError(f"commands: {said!r}")
    return (time.monotonic() - began) * 1000 * (1000 / COMMANDS)


def ask_nginx(host, port):
    """ms for 1,000 requests"""
    wrong = []

    def load():
        connection = http.client.HTTPConnection(host, port, timeout=60)
        for _ in range(REQUESTS // CONNECTIONS):
            connection.request("GET", "/")
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                wrong.append(answer.status)
        connection.close()

    threads = [threading.Thread(target=load) for _ in range(CONNECTIONS)]
    began = time.monotonic()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if wrong:
        raise RuntimeError(f"nginx: status {wrong[0]}")
    return (time.monotonic() - began) * 1000 * (1000 / REQUESTS)


def outside(rounds, host):
    ask = {"exec": ask_exec, "nginx": ask_nginx}
    took, failed = {node: [] for node in nodes}, dict.fromkeys(nodes, 0)
    for turn in range(rounds + 1):
        print(f"bench-guest: round {turn} of {rounds}", file=sys.stderr, flush=True)
        # Whoever comes first finds the machine warmer, or colder: that changes, too.
        for node in list(nodes) if turn % 2 else reversed(nodes):
            try:
                value = ask[node[0]](host, nodes[node])
                if turn > 0:
                    took[node].append(value)
            except (OSError, RuntimeError, http.client.HTTPException) as why:
                failed[node] += 1
                print(f"bench-guest: {name_of(*node)}: {why}", file=sys.stderr)
    return report(took, failed)


def at(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))] if values else None


def report(took, failed):
    print(json.dumps({"kernel": os.uname().release, "machine": os.uname().machine, "cores": os.cpu_count(),
                      "qemu": run("qemu-system-x86_64", "--version").splitlines()[0]}))
    texts = {"exec": "1,000 commands in a node, default audit", "nginx": "1,000 requests to nginx, default audit"}
    for node, values in took.items():
        what, audited = node
        entry = {"id": "audit cost", "what": texts[what] if audited else "  without audit", "n": len(values),
                 "p50_ms": at(values, 0.5), "p99_ms": at(values, 0.99), "max_ms": max(values, default=None),
                 "failures": failed[node]}
        if audited and values and took[what, False]:
            # Of the same round: what the machine does beside it changes more slowly.
            pairs = [a / b for a, b in zip(values, took[what, False])]
            entry["ratio"] = at(pairs, 0.5)
        print(json.dumps(entry))
    return 1 if sum(failed.values()) else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=12, metavar="ROUNDS")
    parser.add_argument("--outside", metavar="HOST", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.outside:
        return outside(args.n, args.outside)
    folders = {(what, audited): build / ("images" if audited else "bench/images") / image
               for what, image in IMAGES.items() for audited in (True, False)}
    missing = [str(f) for f in folders.values() if not (f / "manifest.json").exists()]
    if os.geteuid() != 0 or missing:
        print(f"bench-guest: needs root and {' '.join(missing)} (make bench builds them)", file=sys.stderr)
        return 8
    name, rig = f"bench{os.getpid()}", str(top / "tools/rig")
    host = run(rig, "up", "--name", name, "--for", str(os.getpid())).strip()
    dock = [rig, "exec", "--name", name, "--", "isc-vm"]
    try:
        for (what, audited), port in nodes.items():
            run(*dock, "image", "import", str(folders[what, audited]))
            image = IMAGES[what] + ("" if audited else "-unaudited")
            run(*dock, "provision", name_of(what, audited), "--image", image, "--memory", "128", "--expose",
                f"{port}:{GUEST_PORTS[what]}")
        return subprocess.run([rig, "client", "--name", name, "--", sys.executable, __file__, "--outside", host, "-n",
                               str(args.n)]).returncode
    finally:
        subprocess.run([rig, "down", "--name", name])


sys.exit(main())

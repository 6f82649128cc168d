#!/usr/bin/env python3
"""How quickly something answers, again and again for some seconds: prints JSON {"n", "failed", "p50_ms", "p99_ms", "max_ms"}.

pulse.py http SECONDS HOST PORT     asks a web server
pulse.py run SECONDS COMMAND…       runs a command
"""
import json
import socket
import subprocess
import sys
import time

PAUSE = 0.05


def http(host, port):
    with socket.create_connection((host, int(port)), 30) as s:
        s.settimeout(30)
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return s.recv(16).startswith(b"HTTP/")


def run(*command):
    return subprocess.run(command, stdout=subprocess.DEVNULL).returncode == 0


def main():
    ask, end = {"http": http, "run": run}[sys.argv[1]], time.monotonic() + float(sys.argv[2])
    took, failed = [], 0
    while time.monotonic() < end:
        began = time.monotonic()
        try:
            good = ask(*sys.argv[3:])
        except OSError:
            good = False
        took.append((time.monotonic() - began) * 1000)
        failed += not good
        time.sleep(PAUSE)
    took.sort()
    print(json.dumps({"n": len(took), "failed": failed, "p50_ms": round(took[len(took) // 2], 2),
                      "p99_ms": round(took[int(len(took) * 0.99)], 2), "max_ms": round(took[-1], 2)}))


main()

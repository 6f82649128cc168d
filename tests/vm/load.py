#!/usr/bin/env python3
"""A client that asks a web server on $DOCK RATE times a second, each time over a new connection, until FILE.stop is there.

load.py FILE PORT RATE

FILE gets a line a request: "SECONDS MS TEXT": when it was begun, how long it took, and the answer, or what went wrong.  At
the end one line on standard output: how many, at which rate, and how quick.  Requests are begun by the clock, whether or
not those before are through; where more than CLIENTS are under way, as fast as those come back.
"""
import os
import socket
import sys
import threading
import time

CLIENTS, TIMEOUT_S = 32, 60
path, port, rate = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
dock, begun = os.environ["DOCK"], time.monotonic()
lock, out, took = threading.Lock(), open(path, "w", buffering=1), []
next_at = begun


def turn():
    """When the next request is due: what could not be begun within a second is not made up for."""
    global next_at
    with lock:
        at = next_at = max(next_at + 1 / rate, time.monotonic() - 1)
    return at


def ask():
    try:
        s = socket.create_connection((dock, port), TIMEOUT_S)
    except OSError as why:
        return f"no connection: {why}"
    with s:
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        said = b""
        while chunk := s.recv(4096):
            said += chunk
    head, _, text = said.partition(b"\r\n\r\n")
    return text.decode().strip() if b" 200 " in head else f"status {head[:40]!r}"


def client():
    while not os.path.exists(path + ".stop"):
        time.sleep(max(0, turn() - time.monotonic()))
        at = time.monotonic()
        try:
            said = ask()
        except OSError as why:
            said = f"no answer: {why}"
        ms = (time.monotonic() - at) * 1000
        with lock:
            took.append(ms)
            out.write(f"{at - begun:.3f} {ms:.1f} {said}\n")


clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
for c in clients:
    c.start()
for c in clients:
    c.join()
out.close()
seconds = time.monotonic() - begun
took.sort()
print(f"{len(took)} requests in {seconds:.1f} s, {len(took) / seconds:.0f} a second; answered within "
      f"{took[len(took) // 2]:.1f} ms, 99 of 100 within {took[int(len(took) * 0.99)]:.0f}, all within {took[-1]:.0f}")

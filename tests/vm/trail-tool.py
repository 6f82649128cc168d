#!/usr/bin/env python3
"""Reads an audit.log by itself, as it is written in the kernel's source, and compares it with what the vandal ran.

trail-tool.py commands AUDIT_LOG FIRST N   each "noop cmd-I" is there once, in order
trail-tool.py odd AUDIT_LOG                the odd arguments are there, byte by byte, each once
trail-tool.py count AUDIT_LOG WORD         prints how many commands "noop WORD" there are
"""
import re
import sys

ODD = [
    [b"noop", b"line\nbreak\r\n"],
    [b"noop", b"\x1b[2J\x1b]0;x\x07"],
    [b"noop", "h\u00e9llo \u2713".encode()],
    [b"noop", b"\xff\xfe\x80"],
    [b"noop", b"", b"", b"x"],
    [b"noop", b"it's \"quoted\" \\ $(x) a1=\"no\""],
    [b"noop", b"type=EXECVE msg=audit(1.000:1): argc=1 a0=\"forged\""],
    [b"noop", b"A" * 131071],
    [b"noop"] + [str(i).encode() for i in range(2000)],
]


def value(text):
    return text[1:-1] if text.startswith(b'"') else bytes.fromhex(text.decode())


def read_commands(path):
    """argv of every command, in the order of their first record.  A command is one serial of one boot."""
    commands, order = {}, []
    boot = 0
    for line in open(path, "rb"):
        if b" op=session " in line:
            boot += 1
        head = re.match(rb"type=EXECVE msg=audit\(\d+\.\d+:(\d+)\): (.*)", line)
        if not head:
            continue
        key = (boot, head[1])
        if key not in commands:
            commands[key] = {}
            order.append(key)
        for number, piece, text in re.findall(rb'\ba(\d+)(\[\d+\])?=("[^"]*"|[0-9A-F]*)', head[2]):
            commands[key][int(number)] = commands[key].get(int(number), b"") + value(text)
    return [[commands[k].get(i, b"") for i in range(max(commands[k]) + 1)] for k in order]


def main():
    commands = [c for c in read_commands(sys.argv[2]) if c[0] == b"noop"]
    if sys.argv[1] == "count":
        print(commands.count([b"noop", sys.argv[3].encode()]))
        return 0
    if sys.argv[1] == "odd":
        wrong = [i for i, want in enumerate(ODD) if commands.count(want) != 1]
    else:
        first, n = int(sys.argv[3]), int(sys.argv[4])
        ran = [int(c[1][4:]) for c in commands if len(c) == 2 and re.fullmatch(rb"cmd-\d+", c[1])]
        got = [i for i in ran if first <= i < first + n]
        wrong = [] if got == list(range(first, first + n)) else [f"{len(got)} of {n}"]
    print(wrong or "all")
    return 1 if wrong else 0


sys.exit(main())

#!/usr/bin/python3 -I
# SPDX-License-Identifier: Apache-2.0
"""Stands in for QEMU, under its name: prints what it was given, and does what its -append says."""

import json
import os
import signal
import stat
import sys
import time


def priority():
    """Of a system call that no profile needs to allow: what it answers, or the number of its error."""
    try:
        return os.getpriority(os.PRIO_PROCESS, 0)
    except OSError as error:
        return f"errno {error.errno}"


def main():
    taken = []
    orders = sys.argv[sys.argv.index("-append") + 1].split() if "-append" in sys.argv else ["wait"]
    report = {
        "argv": sys.argv[1:],
        "root": sorted(os.listdir("/")),
        "devices": sorted(f"/dev/{name}" for name in os.listdir("/dev")),
        "terminal": os.isatty(0),
        "groups": os.getgroups(),
        "priority": priority(),
        "kernel": oct(stat.S_IMODE(os.stat("/kernel").st_mode)),
    }
    print(json.dumps(report), flush=True)
    if "wait" in orders:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        # A test has it take memory, as a guest that fills its own does.
        signal.signal(signal.SIGUSR1, lambda *_: taken.append(bytearray(os.urandom(1 << 20) * 300)))
        time.sleep(600)
    sys.exit(next((int(order) for order in orders if order.isdecimal()), 0))


main()

# SPDX-License-Identifier: Apache-2.0
"""A hundred containers of each runtime, made one at a time and sixteen at once; the times go out as JSON.

python bench/crowd.py VIEW FOLDER NAME=PATH...
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import bundles
import views
from contestant import Contestant, Timed, adopt_orphans

COUNT = 100
WAYS = {"one at a time": 1, "sixteen at once": 16}


def together(contestant: Contestant, verb: str, width: int) -> float:
    """Seconds until a verb has been done for all, with `width` commands running."""
    begin, waiting, running = time.perf_counter(), [f"crowd{number}" for number in range(COUNT)], set[int]()
    while waiting or running:
        if waiting and len(running) < width:
            running.add(contestant.begin(verb, waiting.pop()))
            continue
        pid, status = os.wait()
        running.remove(pid)
        contestant.check(status)
    return time.perf_counter() - begin


def main(view: str, folder: Path, contestants: dict[str, str]) -> None:
    """Print {WAY: {NAME: [seconds]}}, of `create`."""
    adopt_orphans()
    views.enter(view)
    taken: Timed = {way: {name: [] for name in contestants} for way in WAYS}
    with bundles.network():
        running = [Contestant(name, path, folder, "minimal") for name, path in contestants.items()]
        for way, width in WAYS.items():
            for contestant in running:
                taken[way][contestant.name].append(together(contestant, "create", width))
                for number in range(COUNT):
                    contestant.end(f"crowd{number}")
    print(json.dumps(taken))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), dict(word.split("=", 1) for word in sys.argv[3:]))

# SPDX-License-Identifier: Apache-2.0
"""What a container takes while it waits for `start`, and afterwards; goes out as JSON.

python bench/memory.py VIEW FOLDER NAME=PATH...
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

import bundles
import views
from contestant import Contestant, adopt_orphans

COUNT = 30


def pss_kib(pid: int) -> int:
    """Its memory, where that of others too by halves, thirds and so on."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def measure(contestant: Contestant) -> dict[str, object]:
    """The median of many that wait; and which programs run in a container that was started."""
    names = [f"memory{number}" for number in range(COUNT)]
    for name in names:
        contestant.run("create", name)
    created = statistics.median(pss_kib(contestant.pid(name)) for name in names)
    contestant.run("start", names[0])
    started = Path(f"/proc/{contestant.pid(names[0])}/comm").read_text().strip()
    for name in names:
        contestant.end(name)
    return {"created_pss_kib": created, "started": started}


def main(view: str, folder: Path, contestants: dict[str, str]) -> None:
    """Print {NAME: {created_pss_kib, started}}."""
    adopt_orphans()
    views.enter(view)
    with bundles.network():
        running = [Contestant(name, path, folder, "minimal") for name, path in contestants.items()]
        found = {contestant.name: measure(contestant) for contestant in running}
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), dict(word.split("=", 1) for word in sys.argv[3:]))

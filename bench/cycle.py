# SPDX-License-Identifier: Apache-2.0
"""The verbs of each runtime, once per round, in a view of the control groups; the times go out as JSON.

    python bench/cycle.py VIEW KIND ROUNDS FOLDER NAME=PATH...

KIND is a bundle of `bundles`.  Contestants whose names begin with urunc get a unikernel.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import bundles
import views
from contestant import VERBS, Contestant, Timed, adopt_orphans


def cycle(contestant: Contestant, container: str) -> dict[str, float]:
    """Seconds of each verb in the life of one container."""
    taken = {}
    for verb in VERBS:
        taken[verb] = contestant.run(verb, container)
        if verb == "kill":
            os.waitpid(contestant.pid(container), 0)
    return taken


def main(view: str, kind: str, rounds: int, folder: Path, contestants: dict[str, str]) -> None:
    """Print {VERB: {NAME: [seconds]}}."""
    adopt_orphans()
    views.enter(view)
    taken: Timed = {verb: {name: [] for name in contestants} for verb in VERBS}
    with bundles.network():
        running = [Contestant(name, path, folder, kind) for name, path in contestants.items()]
        for number in range(-1, rounds):
            # Whoever comes after another finds the processor's caches in its state: so the order turns.
            turn = number % len(running)
            for contestant in running[turn:] + running[:turn]:
                found = cycle(contestant, f"bench{number + 1}")
                for verb, seconds in found.items() if number >= 0 else ():  # the first round fills caches
                    taken[verb][contestant.name].append(seconds)
    print(json.dumps(taken))


if __name__ == "__main__":
    named = dict(word.split("=", 1) for word in sys.argv[5:])
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]), named)

# SPDX-License-Identifier: Apache-2.0
"""Measures everything, each contestant in turn in the same run, and says how the goals are met.

    python bench/run.py [--rounds N] [--only MEASUREMENT]... [NAME=PATH]...

Further runtimes are measured by name and path.  Prints ratios; writes bench/latest.json and bench/latest.svg.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import bundles
import picture
from contestant import VERBS, Timed
from goals import GOALS, PEAK_KIB, PSS_KIB
from samples import ratio, sums

HERE = Path(__file__).resolve().parent
RUNTIMES = {"runc": "/usr/sbin/runc", "crun": "/usr/bin/crun"}
ROUNDS, GIB = 20, 1024
# Each script takes the rounds that make it steady enough; the longest by far is the first answer of a guest.
MEASUREMENTS = (
    "v2 minimal", "v2 network", "v2 crowd", "v2 memory",
    "v1 containerd", "v1 everything", "v1 engines",
    "first answer", "packages",
)  # fmt: skip


class Bench:
    """The programs, and the folder in which everybody works."""

    def __init__(self, folder: Path, runtimes: dict[str, str], rounds: int) -> None:
        self._folder, self._rounds = folder, rounds
        prefix = folder / "prefix"
        subprocess.run([bundles.ROOT / "scripts/install", "--prefix", prefix], check=True, stdout=sys.stderr)
        bundles.build_programs(folder / "programs")
        waits = f'[monitors.qemu]\naccel = "tcg"\npath = "{folder}/programs/wait"\n'
        (folder / "config.toml").write_text(waits)
        self._bima, self._urunc = prefix / "bin/bima", prefix / "bin/urunc"
        self._runtimes = [f"{name}={path}" for name, path in runtimes.items()]
        self._runtimes.append(f"urunc={self._urunc}")

    def measure(self, name: str) -> Any:
        """What the script of a measurement prints."""
        if name == "first answer":
            return self._run("first_answer.py", str(max(3, self._rounds // 2)), str(self._urunc))
        if name == "packages":
            return self._run("packages.py", "2", str(GIB), str(self._folder), str(self._bima))
        view, kind = name.split(" ")
        if kind in ("crowd", "memory"):
            return self._run(f"{kind}.py", view, str(self._folder), *self._runtimes)
        if kind == "engines":
            return self._run("engines.py", view, str(self._rounds), str(self._folder), *self._runtimes)
        return self._run("cycle.py", view, kind, str(self._rounds), str(self._folder), *self._runtimes)

    def _run(self, script: str, *words: str) -> Any:
        command = [sys.executable, str(HERE / script), *words]
        return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.splitlines()[-1])


def timed(name: str, found: Any) -> Timed:
    """{ROW: {CONTESTANT: [seconds]}} of any measurement that has times; with the sum of the verbs."""
    if name == "packages":
        return {step: {who: one["seconds"] for who, one in ways.items()} for step, ways in found.items()}
    if name == "first answer":
        return {name: found}
    if set(VERBS) <= set(found):
        whole = {who: sums([found[verb][who] for verb in VERBS]) for who in found["create"]}
        return {**found, "cycle": whole}
    rows: Timed = found
    return rows


def best(row: dict[str, list[float]], ours: str) -> str:
    """Who of the others is the quickest."""
    return min((who for who in row if who != ours), key=lambda who: statistics.median(row[who]))


def report(name: str, rows: Timed) -> list[str]:
    """The ratios of one measurement to runc or, where that is not, to the quickest of the others."""
    lines = [f"\n{name}"]
    for row, taken in rows.items():
        base = "runc" if "runc" in taken else best(taken, our_name(taken))
        cells = [f"{who} {ratio(times, taken[base])}" for who, times in taken.items()]
        lines.append(f"  {row:16} {'   '.join(cells)}   (1 is {base})")
    return lines


def our_name(row: dict[str, list[float]]) -> str:
    """What we are called in a row."""
    return "bima" if "bima" in row else "urunc"


def judge(found: dict[str, Any]) -> list[tuple[bool, str]]:
    """Whether each goal that was measured is met, and a line that says so."""
    verdicts = []
    for goal in GOALS:
        if goal.measurement not in found:
            continue
        row = timed(goal.measurement, found[goal.measurement])[goal.row]
        ours = our_name(row)
        other = best(row, ours) if goal.other == "best" else goal.other
        value = ratio(row[ours], row[other]).median
        words = f"{goal.measurement}, {goal.row}: {value:.2f} x {other}, at most {goal.most}"
        verdicts.append((value <= goal.most, words))
    return verdicts + judge_memory(found)


def judge_memory(found: dict[str, Any]) -> list[tuple[bool, str]]:
    """The goals that are no ratios."""
    verdicts = []
    if "v2 memory" in found:
        pss = found["v2 memory"]["urunc"]["created_pss_kib"]
        verdicts.append((pss <= PSS_KIB, f"a created container: {pss:.0f} KiB, at most {PSS_KIB}"))
    for step, ways in found.get("packages", {}).items():
        peak = ways["bima"]["peak_kib"]
        verdicts.append((peak <= PEAK_KIB, f"{step}, peak memory: {peak} KiB, at most {PEAK_KIB}"))
    return verdicts


def bars(found: dict[str, Any]) -> dict[str, dict[str, dict[str, float]]]:
    """For the picture: the medians of the verbs, in units of runc's whole cycle."""
    drawn = {}
    for name in (name for name in found if set(VERBS) <= set(found[name])):
        rows = timed(name, found[name])
        unit = statistics.median(rows["cycle"]["runc"])
        drawn[name] = {
            who: {verb: statistics.median(rows[verb][who]) / unit for verb in VERBS} for who in rows["cycle"]
        }
    return drawn


def main() -> int:
    """The exit status is 1 if a goal is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", action="append", choices=MEASUREMENTS)
    parser.add_argument("runtimes", nargs="*", metavar="NAME=PATH")
    options = parser.parse_args()
    more = dict(word.split("=", 1) for word in options.runtimes)
    found = {}
    with tempfile.TemporaryDirectory(dir=bundles.ROOT / ".cache") as folder:
        bench = Bench(Path(folder), {**RUNTIMES, **more}, options.rounds)
        for name in options.only or MEASUREMENTS:
            found[name] = bench.measure(name)
            if name != "v2 memory":
                print("\n".join(report(name, timed(name, found[name]))), flush=True)
    verdicts = judge(found)
    print("\ngoals", *(f"  {'met   ' if met else 'MISSED'} {words}" for met, words in verdicts), sep="\n")
    if not options.only:
        (HERE / "latest.json").write_text(json.dumps(found, indent=1) + "\n")
        (HERE / "latest.svg").write_text(picture.draw(bars(found)))
    return not all(met for met, _ in verdicts)


if __name__ == "__main__":
    sys.exit(main())

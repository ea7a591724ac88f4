# SPDX-License-Identifier: Apache-2.0
"""bima beside buildah, umoci and skopeo: an image of a GiB is built, pushed and pulled; goes out as JSON.

    python bench/packages.py ROUNDS MIB FOLDER BIMA

Half of the bytes are random, half are text.  Nobody finds a layer that he has made or fetched before.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import bundles

if TYPE_CHECKING:
    from collections.abc import Callable

LAYERS = 8
LABELS = "".join(f'LABEL com.urunc.unikernel.{key}="{value}"\n' for key, value in bundles.ANNOTATIONS.items())
STEPS = ("build", "push", "pull")


class Timer:
    """What commands take together: seconds, and the most memory of one in KiB."""

    def __init__(self) -> None:
        self.seconds, self.peak_kib = 0.0, 0

    def __call__(self, *words: str | Path) -> None:
        """Run a command.  Raises RuntimeError if it fails."""
        begin = time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        said = process.stderr.read() if process.stderr else b""
        _, status, usage = os.wait4(process.pid, 0)
        self.seconds += time.perf_counter() - begin
        self.peak_kib = max(self.peak_kib, usage.ru_maxrss)
        if status:
            raise RuntimeError(f"{' '.join(map(str, words))}: {said.decode()}")


def make_context(folder: Path, mib: int) -> None:
    """A kernel, and a directory for each layer."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(bundles.ROOT / "examples/hello/out/hello", folder / "kernel")
    text = b"".join(b"line %d of a file that gzip makes smaller\n" % number for number in range(30000))
    half = (mib << 20) // LAYERS // 2
    for number in range(LAYERS):
        layer = folder / f"layer{number}"
        layer.mkdir()
        with (layer / "random").open("wb") as file:
            for _ in range(half >> 20 or 1):
                file.write(os.urandom(min(half, 1 << 20)))
        (layer / "text").write_bytes((text * (half // len(text) + 1))[:half])
    copies = "".join(f"COPY layer{number} /layer{number}\n" for number in range(LAYERS))
    words = f'FROM scratch\nCOPY kernel /kernel\n{copies}{LABELS}CMD ["hello"]\n'
    (folder / "Containerfile").write_text(words)


class Bench:
    """The folders and programs, and what each contestant does in each step."""

    def __init__(self, folder: Path, bima: str, registry: str) -> None:
        self._folder, self._bima, self._registry = folder, bima, registry
        self._context = folder / "context"

    def _clean(self, name: str) -> Path:
        target = self._folder / name
        shutil.rmtree(target, ignore_errors=True)
        return target

    def build_bima(self, timer: Timer) -> None:
        target = self._clean("bima")
        timer(self._bima, "build", "-q", "-t", "bench", "-o", f"oci:{target}", self._context)

    def build_buildah(self, timer: Timer) -> None:
        target, storage = self._clean("buildah"), self._clean("storage")
        buildah = ["buildah", "--root", storage, "--runroot", f"{storage}-run", "--storage-driver", "vfs"]
        timer(*buildah, "build", "--layers", "--isolation", "chroot", "-t", "bench", self._context)
        timer(*buildah, "push", "bench", f"oci:{target}:bench")
        shutil.rmtree(storage)

    def build_umoci(self, timer: Timer) -> None:
        target = self._clean("umoci")
        timer("umoci", "init", "--layout", target)
        timer("umoci", "new", "--image", f"{target}:bench")
        for number in range(LAYERS):
            name = f"layer{number}"
            timer("umoci", "insert", "--image", f"{target}:bench", self._context / name, f"/{name}")

    def push_bima(self, timer: Timer) -> None:
        where = f"{self._registry}/bima-{time.monotonic_ns()}:1"
        timer(self._bima, "copy", "-q", f"oci:{self._folder}/bima", where)

    def push_skopeo(self, timer: Timer) -> None:
        where = f"docker://{self._registry}/skopeo-{time.monotonic_ns()}:1"
        timer("skopeo", "copy", "--dest-tls-verify=false", f"oci:{self._folder}/bima", where)

    def pull_bima(self, timer: Timer) -> None:
        target = f"oci:{self._clean('pulled')}"
        timer(self._bima, "copy", "-q", "-t", "bench", f"registry:{self._registry}/pull:1", target)

    def pull_skopeo(self, timer: Timer) -> None:
        where = f"docker://{self._registry}/pull:1"
        timer("skopeo", "copy", "--src-tls-verify=false", where, f"oci:{self._clean('pulled')}:bench")

    def steps(self) -> dict[str, dict[str, Callable[[Timer], None]]]:
        return {
            "build": {"bima": self.build_bima, "buildah": self.build_buildah, "umoci": self.build_umoci},
            "push": {"bima": self.push_bima, "skopeo": self.push_skopeo},
            "pull": {"bima": self.pull_bima, "skopeo": self.pull_skopeo},
        }

    def put_for_pull(self) -> None:
        where = f"docker://{self._registry}/pull:1"
        Timer()("skopeo", "copy", "--dest-tls-verify=false", f"oci:{self._folder}/bima", where)


def summary(rounds: list[Timer]) -> dict[str, object]:
    """The times of all rounds, and the most memory of any."""
    peak = max(one.peak_kib for one in rounds)
    return {"seconds": [one.seconds for one in rounds], "peak_kib": peak}


def main(rounds: int, mib: int, folder: Path, bima: str) -> None:
    """Print {STEP: {NAME: {seconds: [...], peak_kib}}}."""
    sys.path.append(str(bundles.ROOT / "tests"))
    import servers

    # In a process of its own: what this one holds counts for the peak of those that it starts.
    maker = multiprocessing.Process(target=make_context, args=(folder / "context", mib))
    maker.start()
    maker.join()
    found: dict[str, dict[str, dict[str, object]]] = {}
    with servers.registry() as registry:
        bench = Bench(folder, bima, registry.host)
        for step, ways in bench.steps().items():
            timers = {name: [Timer() for _ in range(rounds)] for name in ways}
            if step == "pull":
                bench.put_for_pull()
            for number in range(rounds):
                for name, way in ways.items():
                    way(timers[name][number])
            found[step] = {name: summary(each) for name, each in timers.items()}
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])

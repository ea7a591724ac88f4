# SPDX-License-Identifier: Apache-2.0
"""`ctr run --rm` of a program that ends at once, by each runtime; the times go out as JSON.

    python bench/engines.py VIEW ROUNDS FOLDER NAME=PATH...

Our monitor is the same program that the others run.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import bundles
import views

if TYPE_CHECKING:
    from contestant import Timed
    from servers import Containerd

ANNOTATIONS = [f"com.urunc.unikernel.{key}={value}" for key, value in bundles.ANNOTATIONS.items()]


def run(engine: Containerd, name: str, path: str, rootfs: Path) -> float:
    """Seconds from the command to its end."""
    options = ["--rm", "--runc-binary", path]
    for annotation in ANNOTATIONS if name.startswith("urunc") else ():
        options += ["--annotation", annotation]
    begin = time.perf_counter()
    engine.ctr("run", *options, "--rootfs", str(rootfs), f"bench-{name}", "/end")
    return time.perf_counter() - begin


def with_configuration(folder: Path, name: str, path: str) -> str:
    """A runtime whose monitor ends at once: what the shim starts has an environment of the shim's."""
    if not name.startswith("urunc"):
        return path
    settings, file = folder / "ends.toml", folder / f"{name}-ends"
    settings.write_text(f'[monitors.qemu]\naccel = "tcg"\npath = "{folder}/programs/end"\n')
    variable = f'posix.environ[b"URUNC_CONFIG_FILE"] = b"{settings}"'
    file.write_text(
        Path(path).read_text().replace("import sys\n", f"import posix\nimport sys\n\n{variable}\n", 1)
    )
    file.chmod(0o755)
    return str(file)


def main(view: str, rounds: int, folder: Path, contestants: dict[str, str]) -> None:
    """Print {"ctr run": {NAME: [seconds]}}."""
    views.enter(view)
    sys.path.append(str(bundles.ROOT / "tests"))
    import servers

    taken: Timed = {"ctr run --rm": {name: [] for name in contestants}}
    rootfs = folder / "engines" / "rootfs"
    bundles.write(rootfs.parent, folder, "minimal", "engines", "end")
    paths = {name: with_configuration(folder, name, path) for name, path in contestants.items()}
    with servers.containerd() as engine:
        for number in range(-1, rounds):
            for name, path in paths.items():
                seconds = run(engine, name, path, rootfs)
                if number >= 0:  # the first round fills caches
                    taken["ctr run --rm"][name].append(seconds)
    print(json.dumps(taken))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), dict(word.split("=", 1) for word in sys.argv[4:]))

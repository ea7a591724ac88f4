# SPDX-License-Identifier: Apache-2.0
"""Several stages, variables, and what each instruction leaves in the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bima.containerfile import parse
from bima.context import Context
from bima.errors import ContainerfileError, ContextError, ImageError, UsageError
from bima.image import ImageConfig
from bima.plan import ImagePlan, plan
from bima.platform import Platform
from bima.staged import PlannedLayer, Staged
from bima.stager import Wanted
from bima.tree import Data, Directory, Entry, File, Link, Tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from bima.instruction import Line
    from bima.stages import Stage

KERNEL = """
COPY kernel /k
LABEL com.urunc.unikernel.unikernelType=generic com.urunc.unikernel.hypervisor=qemu
LABEL com.urunc.unikernel.binary=/k
"""


class Images:
    """One image, with a few files."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []

    def image(self, name: str, line: Line, platform: str, monitor: str) -> Staged:
        del line
        self.asked.append((name, platform, monitor))
        entries = {
            "etc": Directory(),
            "etc/passwd": Data(b"root:x:0:0::/:\nweb:x:7:8::/:\n"),
            "etc/group": Data(b"root:x:0:\nstaff:x:9:web\n"),
            "bin": Link("usr/bin"),
            "usr": Directory(),
            "usr/bin": Directory(),
            "usr/bin/sh": Data(b"shell", 0o755, 3, 4),
            "out": Link("../../../etc"),
        }
        config = ImageConfig(
            "amd64", env=("PATH=/bin",), cmd=("base",), labels={"base": "1"}, working_dir="/home"
        )
        return Staged(config, Tree(entries))

    def run(self, stage: Stage, line: Line) -> Staged:
        raise line.error(f"stage {stage.number} has RUN")


@pytest.fixture
def context(project_at: Callable[..., Path], tmp_path: Path) -> Path:
    return project_at(tmp_path / "context", {name: name.encode() for name in ("a", "b", "dir/c")})


def planned(context: Path, text: str, **wanted: Any) -> ImagePlan:
    platform = wanted.pop("platform", None)
    return plan(parse(text, "C"), Context(context), platform, 0, Wanted(**{"images": Images(), **wanted}))


def added(result: ImagePlan) -> dict[str, Entry]:
    """All entries that are new, but for the directories, the kernel and our own file."""
    entries = [layer.entries for layer in result.layers if isinstance(layer, PlannedLayer)]
    found = {path: entry for each in entries for path, entry in each.items()}
    return {
        path: entry
        for path, entry in found.items()
        if not isinstance(entry, Directory) and path not in ("k", "urunc.json")
    }


def names(result: ImagePlan) -> dict[str, str]:
    """Where each file comes from."""
    return {path: Path(entry.source).name for path, entry in added(result).items() if isinstance(entry, File)}


def test_a_stage_is_copied_from_by_name_and_number(context: Path) -> None:
    text = f"""FROM scratch AS one
COPY a /x/a
FROM scratch
COPY --from=ONE /x /y
FROM scratch
{KERNEL}
COPY --from=1 y/a /z
COPY --from=0 /x/* /w/"""
    assert names(planned(context, text)) == {"z": "a", "w/a": "a"}


def test_a_stage_may_begin_with_another_one(context: Path) -> None:
    text = f"FROM scratch AS one\nENV A=1\n{KERNEL}FROM one\nCOPY a /$A\nENV B=$A$A"
    result = planned(context, text)
    assert names(result) == {"1": "a"}
    assert result.config.env == ("A=1", "B=11")
    assert len(result.layers) == 3


def test_stages_that_the_target_does_not_need_are_not_built(context: Path) -> None:
    text = f"FROM nowhere AS one\nRUN x\nFROM scratch AS two\n{KERNEL}FROM one"
    assert planned(context, text, target="two").config.cmd == ()
    with pytest.raises(UsageError, match="no stage 'tow'") as refused:
        planned(context, text, target="tow")
    assert "two" in refused.value.hint
    with pytest.raises(ContainerfileError, match="C:2: stage 0 has RUN"):
        planned(context, text)


def test_a_later_stage_is_an_image_as_long_as_it_is_not_there(context: Path) -> None:
    images = Images()
    planned(
        context,
        f"FROM two\n{KERNEL}COPY --from=two etc/group /g\nFROM scratch AS two",
        target="0",
        images=images,
    )
    assert images.asked == [("two", "", "qemu"), ("two", "", "qemu")]


def test_the_platform_goes_to_the_images(context: Path) -> None:
    images = Images()
    planned(context, f"FROM x\n{KERNEL}", platform=Platform("amd64"), images=images)
    planned(context, f"FROM --platform=qemu/x86_64 x\n{KERNEL}", images=images)
    assert [platform for _, platform, _ in images.asked] == ["linux/amd64", "qemu/x86_64"]


def test_what_an_image_has_is_kept_and_added_to(context: Path) -> None:
    result = planned(context, f"FROM x\n{KERNEL}ENV PATH=$PATH:/x\nCOPY a .\nCOPY a /bin/\nLABEL more=2")
    assert result.config.env == ("PATH=/bin:/x",)
    assert result.config.cmd == ("base",)
    assert result.config.labels["base"] == "1"
    assert result.config.labels["more"] == "2"
    assert names(result) == {"home/a": "a", "usr/bin/a": "a"}


def test_an_entrypoint_takes_the_command_of_the_image_away(context: Path) -> None:
    assert planned(context, f'FROM x\n{KERNEL}ENTRYPOINT ["e"]').config.cmd == ()
    assert planned(context, f'FROM x\n{KERNEL}CMD ["c"]\nENTRYPOINT ["e"]').config.cmd == ("c",)


def test_text_is_run_by_the_shell_of_the_image(context: Path) -> None:
    assert planned(context, f"FROM x\n{KERNEL}CMD a 'b c'").config.cmd == ("/bin/sh", "-c", "a 'b c'")
    assert planned(context, f'FROM x\n{KERNEL}SHELL ["s"]\nCMD a b').config.cmd == ("s", "a b")
    assert planned(context, f'FROM x\n{KERNEL}CMD ["a"]').config.cmd == ("a",)
    assert planned(context, f"{KERNEL}CMD a 'b c'").config.cmd == ("a", "b c")


def test_owners_and_modes_are_as_asked_for(context: Path) -> None:
    result = planned(
        context,
        f"FROM x\n{KERNEL}COPY --chown=web a /1\nCOPY --chown=web:staff --chmod=640 dir /2\n"
        "COPY --chown=5 a /3\nCOPY --chown=5:6 a /4\nCOPY --from=x /bin/sh /5\n"
        "COPY --chmod=4711 --from=x /bin/sh /6",
    )
    found = {
        path: (getattr(entry, "mode", None), entry.uid, entry.gid) for path, entry in added(result).items()
    }
    assert found == {
        "1": (None, 7, 8),
        "2/c": (0o640, 7, 9),
        "3": (None, 5, 0),
        "4": (None, 5, 6),
        "5": (0o755, 3, 4),
        "6": (0o4711, 3, 4),
    }


def test_links_of_another_image_never_lead_out_of_it(context: Path) -> None:
    result = planned(context, f"{KERNEL}COPY --from=x /out /1\nCOPY --from=x ../../out/passwd /2")
    assert sorted(added(result)) == ["1/group", "1/passwd", "2"]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("COPY --from=x /none /1", ContextError, "C:5: /none is not in x"),
        ("COPY --from=x /none* /1/", ContextError, "C:5: nothing in x matches /none*"),
        ("COPY --chown=nobody a /1", ImageError, "C:5: the image has no user 'nobody'"),
        ("COPY --chown=1:nobody a /1", ImageError, "C:5: the image has no group 'nobody'"),
        ("COPY --chown=4294967295 a /1", ImageError, "'4294967295' is no number"),
    ],
)
def test_what_is_not_there_is_refused(context: Path, text: str, error: type, message: str) -> None:
    with pytest.raises(error) as refused:
        planned(context, f"{KERNEL}{text}")
    assert message in str(refused.value)


def test_arguments_come_from_the_command_line_or_have_a_default(context: Path) -> None:
    text = f"ARG base=scratch\nARG x=1\nFROM $base\n{KERNEL}ARG x\nARG y=$x\nARG z\nLABEL l=$x-$y-$z-$base"
    assert planned(context, text).config.labels["l"] == "1-1--"
    result = planned(context, text, arguments={"base": "x", "x": "2", "z": "3"})
    assert result.config.labels["l"] == "2-2-3-"
    assert result.config.env == ("PATH=/bin",)


def test_a_variable_goes_before_an_argument(context: Path) -> None:
    assert planned(context, f"{KERNEL}ENV x=env\nARG x=arg\nLABEL l=$x").config.labels["l"] == "env"


def test_an_argument_that_nobody_takes_is_refused(context: Path) -> None:
    with pytest.raises(UsageError, match="no ARG takes --build-arg VERSIN") as refused:
        planned(context, f"ARG VERSION\n{KERNEL}", arguments={"VERSIN": "1"})
    assert "VERSION" in refused.value.hint
    planned(context, KERNEL, arguments={"http_proxy": "x"})


def test_only_arguments_come_before_the_first_stage(context: Path) -> None:
    with pytest.raises(ContainerfileError, match="C:1: ENV comes before FROM"):
        planned(context, f"ENV a=b\nFROM scratch\n{KERNEL}")


def test_the_platform_is_known_as_arguments(context: Path) -> None:
    text = f"FROM scratch\n{KERNEL}ARG TARGETARCH\nARG TARGETPLATFORM\nLABEL l=$TARGETARCH-$TARGETPLATFORM"
    result = planned(context, text, platform=Platform("amd64"))
    assert result.config.labels["l"] == "amd64-linux/amd64"


def test_the_configuration_has_what_the_instructions_say(context: Path) -> None:
    text = f"""{KERNEL}WORKDIR /srv
WORKDIR www
COPY a .
USER web:staff
EXPOSE 80 53/udp
VOLUME /data /more
STOPSIGNAL SIGQUIT
MAINTAINER some one"""
    result = planned(context, text)
    config = result.config
    assert (config.working_dir, config.user, config.stop_signal) == ("/srv/www", "web:staff", "SIGQUIT")
    assert (config.ports, config.volumes, config.author) == (
        ("80/tcp", "53/udp"),
        ("/data", "/more"),
        "some one",
    )
    assert names(result) == {"srv/www/a": "a"}
    layers = [layer.text for layer in result.layers if isinstance(layer, PlannedLayer)]
    assert layers == ["COPY kernel /k", "WORKDIR /srv", "WORKDIR www", "COPY a .", "/urunc.json"]
    assert sum(not step.empty for step in result.history) == len(result.layers)


def test_a_here_document_is_a_file(context: Path) -> None:
    result = planned(context, f"{KERNEL}ENV x=1\nCOPY <<conf a /etc/\nx is $x\nconf\nCOPY <<'c' /d\n$x\nc")
    assert added(result)["etc/conf"] == Data(b"x is 1\n")
    assert added(result)["d"] == Data(b"$x\n")

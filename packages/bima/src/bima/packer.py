# SPDX-License-Identifier: Apache-2.0
"""A package -> a stage with its kernel, its root file system, and what says how to boot them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bima import containerfile, contents, flatten, kernel, package, recipe, rootfs, tarball
from bima.context import Context, walk
from bima.copying import Files, copy
from bima.errors import KernelError
from bima.image import ImageConfig
from bima.instruction import Copy
from bima.package import BOOT, KERNEL, RAW, ROOT
from bima.performing import merge_env
from bima.platform import Platform
from bima.staged import Staged
from bima.tree import Data, Directory, File, Packed, Tree
from urunc_common import config as contract
from urunc_common.errors import Error

if TYPE_CHECKING:
    from bima.bases import Bases
    from bima.making import Making
    from bima.package import Include, Package, Place, Root
    from bima.tree import Entry, Regular

# What a file is that is a root file system already.
_CPIO = (b"070701", b"070702", b"\x1f\x8b", b"\x28\xb5\x2f\xfd")
_EXT, _EROFS = b"\x53\xef", b"\xe2\xe1\xf5\xe0"
_HEAD = 2048


@dataclass(frozen=True)
class Prebuilt:
    """A root file system that is a file already, and with what label the guest is told."""

    file: Regular
    field: str


class Packer:
    """Makes one package."""

    def __init__(self, wanted: Package, made: Making, context: Context) -> None:
        self._wanted, self._made, self._context = wanted, made, context
        self._bases: Bases = made.bases()
        self._platform = ""

    def stage(self) -> Staged:
        """The whole stage."""
        kernel, staged = self._kernel()
        self._platform = _platform(kernel)
        if self._wanted.architecture:
            wanted = Platform.parse(self._wanted.architecture)
            wanted.require_kernel(find_architecture(kernel) or wanted.architecture, self._wanted.kernel.path)
        labels: dict[str, str] = {}
        if self._wanted.root:
            staged, labels = self._root(self._wanted.root, staged)
        staged.tree.add(KERNEL, kernel)
        staged.add_layer(f"kernel {self._wanted.kernel.path}")
        if self._wanted.boot:
            labels["initrd"] = self._boot(self._wanted.boot, staged)
        staged.config = self._config(staged.config, labels)
        staged.has_cmd = True
        return staged

    def _kernel(self) -> tuple[Regular, Staged]:
        """The kernel, and a stage without files that has the configuration of the image that it is from."""
        place = self._wanted.kernel
        tree, config = Tree(), ImageConfig("")
        if place.image:
            image = self._image(place)
            tree, config = image.tree, replace(image.config, labels={})
            found = tree.find(place.path)
        else:
            found = self._local(place)[1]
        if not isinstance(found, File | Data | Packed):
            raise KernelError(
                f"{place.line.place}: the kernel {place.path} is not a file", hint="name the file"
            )
        return found, Staged(config)

    def _root(self, root: Root, staged: Staged) -> tuple[Staged, dict[str, str]]:
        """The root file system, and the labels that lead the guest to it."""
        if root.optional and root.source and not self._is_there(root.source):
            return staged, {}
        source = self._source(root.source) if root.source else staged
        if isinstance(source, Staged) and source.config == ImageConfig(""):
            source.config = staged.config
        if isinstance(source, Prebuilt):
            self._add_file(staged, source.file, root)
            return staged, self._labels(source.field)
        for each in root.includes:
            self._include(each, source.tree)
        kind = root.kind_for(self._wanted.guest)
        if kind == RAW:
            if root.includes or not source.layers:
                source.add_layer("rootfs")
            return source, {"mount_rootfs": "true"}
        path = self._made.work / "rootfs"
        settings = rootfs.Settings(kind, self._made.epoch, root.size, root.compression)
        with self._made.draft.workspace() as work:
            rootfs.make(source.tree.entries, path, work, settings)
        version = source.config.os_version or staged.config.os_version
        made = Staged(replace(source.config, architecture="", os_version=version))
        self._add_file(made, File(path, 0o644), root)
        return made, self._labels("initrd" if kind == "initrd" else "block")

    def _is_there(self, place: Place) -> bool:
        return self._image(place).tree.find(place.path) is not None

    def _source(self, place: Place) -> Staged | Prebuilt:
        """What a root file system is made of: recognised by what it is, not by what it is called."""
        if place.image:
            image = self._image(place)
            found = image.tree.find(place.path) if place.path else None
            if not place.path:
                return image
            return self._files(Files(image.tree, place.image), place, found)
        path, found = self._local(place)
        if isinstance(found, Directory):
            return self._directory(path)
        if any(name.lower() in path.name.lower() for name in recipe.NAMES):
            text = recipe.load(path)
            return self._made.stage(containerfile.parse(text.text, text.name), text, path.parent)
        return self._file(found, place, path)

    def _directory(self, path: Path) -> Staged:
        staged = Staged(ImageConfig(""))
        for name, entry in walk(path):
            staged.tree.add(name, entry)
        return staged

    def _files(self, files: Files, place: Place, found: Entry | None) -> Staged | Prebuilt:
        """A file or a directory of an image."""
        if not isinstance(found, Directory):
            return self._file(found, place, Path(place.path))
        staged = Staged(ImageConfig(""))
        copy(Copy(place.line, (place.path,), "/"), files, staged.tree, "")
        return staged

    def _file(self, found: Entry | None, place: Place, path: Path) -> Staged | Prebuilt:
        """An archive, whose files are taken, or a file that a guest can mount as it is."""
        if not isinstance(found, File | Data | Packed):
            raise place.line.error(f"the root file system {place.path} is not there")
        if isinstance(found, File) and tarball.is_tar(path):
            plain = self._made.work / "root.tar"
            with path.open("rb") as file:
                tarball.unpack(file, plain)
            return _unpacked(plain)
        field = recognise(contents.read(found, _HEAD))
        if not field:
            raise place.line.error(
                f"{place.path} is no root file system that is known here",
                "it can be a directory, a tar, an image, a Containerfile, or a cpio, ext or erofs file",
            )
        return Prebuilt(found, field)

    def _include(self, each: Include, tree: Tree) -> None:
        place = each.source
        origin = Files(self._image(place).tree, place.image) if place.image else self._context
        try:
            copy(Copy(place.line, (place.path,), each.destination), origin, tree, "")
        except Error as error:
            if error.args[0].startswith(place.line.place):
                raise
            raise place.line.error(str(error), error.hint) from error

    def _add_file(self, staged: Staged, file: Regular, root: Root) -> None:
        staged.tree.add(ROOT, file)
        staged.add_layer(f"rootfs {root.source.path if root.source else ''}".rstrip())

    def _boot(self, place: Place, staged: Staged) -> str:
        staged.tree.add(BOOT, self._local(place)[1])
        staged.add_layer(f"initrd {place.path}")
        return BOOT

    def _labels(self, field: str) -> dict[str, str]:
        if field == "initrd":
            return {"initrd": ROOT}
        return {"block": ROOT, "block_mount_point": package.mount_point(self._wanted.guest)}

    def _config(self, base: ImageConfig, labels: dict[str, str]) -> ImageConfig:
        wanted = self._wanted
        version = wanted.version or (base.os_version if wanted.guest == "unikraft" else "")
        said = {"type": wanted.guest, "hypervisor": wanted.monitor, "binary": KERNEL, "version": version}
        ours = {contract.KEYS[key]: value for key, value in {**said, **labels}.items() if value}
        inherited = {
            key: value for key, value in base.labels.items() if not contract.is_unikernel({key: value})
        }
        entrypoint = base.entrypoint if wanted.entrypoint is None else wanted.entrypoint
        cmd = base.cmd if wanted.entrypoint is None else ()
        return replace(
            base,
            env=merge_env(base.env, wanted.env),
            entrypoint=entrypoint,
            cmd=cmd if wanted.cmd is None else wanted.cmd,
            labels={**inherited, **wanted.labels, **ours},
        )

    def _local(self, place: Place) -> tuple[Path, Entry]:
        try:
            (source,) = self._context.resolve(place.path)
        except ValueError as error:
            raise place.line.error(f"{place.path} are several files") from error
        except Error as error:
            raise place.line.error(str(error), error.hint) from error
        entry = next(iter(source.entries))[1]
        path = entry.source if isinstance(entry, File) else self._context.path / place.path.lstrip("/")
        return path, entry

    def _image(self, place: Place) -> Staged:
        platform = str(self._made.platform or self._platform)
        return self._bases.image(place.image, place.line, platform, self._wanted.monitor).copy()


def _platform(kernel_file: Regular) -> str:
    """What images a kernel can run, if it says so."""
    found = find_architecture(kernel_file)
    return str(Platform(found)) if found else ""


def find_architecture(kernel_file: Regular) -> str:
    """What a kernel is built for; nothing if it does not say so."""
    return kernel.find_architecture(contents.read(kernel_file, kernel.HEAD))


def _unpacked(tar: Path) -> Staged:
    staged = Staged(ImageConfig(""))
    for path, entry in sorted(flatten.flatten([tar]).entries.items()):
        if path:
            staged.tree.put(path, entry)
    return staged


def recognise(head: bytes) -> str:
    """The label that a file belongs to which is a root file system already; nothing for other files."""
    if head.startswith(_CPIO):
        return "initrd"
    return "block" if head[1080:1082] == _EXT or head[1024:1028] == _EROFS else ""

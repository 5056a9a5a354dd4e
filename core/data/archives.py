"""Data sets handed over as a zip or tar: opened once into a folder of the workspace, within limits.

Only plain files are written, never links, and nothing outside the folder. What an archive says of sizes is not
believed: bytes are counted as they are written.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import shutil
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from core.errors import UserError
from core.units import count

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
CLOSED = (".rar", ".7z")  # need programs of their own
MOST_FILES = 500_000
MOST_BYTES = 200 * 10**9
SPARED = 2 * 10**9  # bytes of disk that stay free
MOST_RATIO = 200  # unpacked to packed; photos are hardly packed at all, a bomb a thousandfold
SMALL = 10**8  # bytes below which no ratio is suspicious
CHUNK = 1 << 20
BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError) + (
    NotImplementedError,
    ValueError,
)
Member = tuple[str, int, Any]  # name as written, size as stated, the member itself


def is_archive(path: Path) -> bool:
    """Whether a path is that of an archive, by its ending."""
    return path.name.lower().endswith((*ARCHIVES, *CLOSED))


def open_archive(path: Path, into: Path) -> Path:
    """The folder with what an archive holds; unpacked now, or before, for it is kept by the archive's content.

    Args:
        path: of the archive.
        into: the folder in which folders of archives lie; made if it is not there.

    Returns:
        The folder, or the only folder in it.

    Raises:
        UserError: the archive cannot be opened, holds paths that lead out of it, or is too large.
    """
    if path.name.lower().endswith(CLOSED):
        raise _refused("this archive is of a kind that is not opened", path, "Unpack it, or pack it as zip.")
    try:
        digest = _digest(path)
        made = into / f"{path.name.split('.')[0] or 'archive'}-{digest[:12]}"
        if not made.is_dir():
            into.mkdir(parents=True, exist_ok=True)
            # Unpacked beside its place and renamed: a folder that is there is complete.
            with tempfile.TemporaryDirectory(dir=into, prefix=".opening-") as part:
                _unpack(path, Path(part) / "files")
                try:
                    os.replace(Path(part) / "files", made)
                except OSError:
                    if not made.is_dir():  # unless another process was first
                        raise
    except BROKEN as error:
        said = str(error).split("\n")[0][:80] or type(error).__name__
        raise _refused(f"this archive cannot be opened ({said})", path, "Copy it again, or unpack it.") from error
    inside = [entry for entry in made.iterdir() if not entry.name.startswith(".")]
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else made


def _unpack(path: Path, target: Path) -> None:
    packed = path.stat().st_size
    room = min(MOST_BYTES, shutil.disk_usage(target.parent).free - SPARED, max(SMALL, MOST_RATIO * packed))
    target.mkdir()
    written = 0
    with _members(path) as (members, opened):
        for number, (name, _, member) in enumerate(members):
            if number >= MOST_FILES:
                raise _refused(f"this archive holds more than {count(MOST_FILES)} files", path, "Give one data set.")
            place = _place(name, path)
            if place is None:
                continue
            to = target / place
            to.parent.mkdir(parents=True, exist_ok=True)
            with opened(member) as source, to.open("wb") as out:
                while chunk := source.read(CHUNK):
                    written += len(chunk)
                    if written > room:
                        what = f"this archive unpacks to more than {room / 1e9:.1f} GB"
                        raise _refused(what, path, "Unpack it yourself, if that is meant.")
                    out.write(chunk)


@contextmanager
def _members(path: Path) -> Iterator[tuple[Iterator[Member], Any]]:
    """The plain files of an archive, and how one is opened."""
    if path.name.lower().endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            if any(info.flag_bits & 1 for info in archive.infolist()):
                raise _refused("this archive has a password", path, "Unpack it.")
            plain = (info for info in archive.infolist() if _is_plain(info))
            yield ((info.filename, info.file_size, info) for info in plain), archive.open
    else:
        with tarfile.open(path) as tar:
            yield ((info.name, info.size, info) for info in tar if info.isfile()), lambda info: _of_tar(tar, info)


def _is_plain(info: zipfile.ZipInfo) -> bool:
    """Whether a member of a zip is a file, not a folder, nor a link or device by its attributes of Unix."""
    return bool(info.filename) and not info.is_dir() and info.external_attr >> 28 in (0, 0o10)


def _of_tar(tar: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    opened = tar.extractfile(info)
    if opened is None:
        raise tarfile.TarError(f"{info.name} is no file")
    return opened


def _place(name: str, path: Path) -> PurePosixPath | None:
    """Where a member goes inside the folder; None for hidden files. Raises UserError for a path that leads out."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or parts[0] == "/" or ".." in parts or ":" in parts[0] or "\0" in name:
        raise _refused(f"this archive holds a path that leads out of it ({name!r})", path, "Unpack it yourself.")
    if any(part.startswith(".") or part == "__MACOSX" for part in parts):
        return None
    return PurePosixPath(*parts)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _refused(what: str, path: Path, fix: str) -> UserError:
    return UserError(what, str(path), fix, "archive")

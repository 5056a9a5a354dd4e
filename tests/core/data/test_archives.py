"""A zip or tar is opened once and read like its folder; what is dangerous in one is refused."""

from __future__ import annotations

import io
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from core.data import archives
from core.data.archives import open_archive
from core.data.types import Dataset
from core.errors import UserError

Read = Callable[..., Dataset]
KINDS = {"zip": ".zip", "tar": ".tar", "gztar": ".tar.gz", "xztar": ".tar.xz"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("nested", [False, True])
def test_an_archive_is_read_as_its_folder_and_opened_once(
    yolo: Path, tmp_path: Path, read: Read, kind: str, nested: bool
) -> None:
    whole = read(yolo)
    base = tmp_path / "given" / "dam.v3i"
    packed = shutil.make_archive(str(base), kind, *((yolo.parent, yolo.name) if nested else (yolo, ".")))
    (tmp_path / "given/data.yaml").write_text("names: [another set]")
    found = read(Path(packed))
    assert [photo.digest for photo in found.photos] == [photo.digest for photo in whole.photos]
    assert found.root.is_relative_to(tmp_path / "data")
    (opened,) = (tmp_path / "data").iterdir()
    before = opened.stat().st_mtime_ns
    assert read(Path(packed)).fingerprint == found.fingerprint
    assert opened.stat().st_mtime_ns == before


def zipped(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize("name", ["../evil.txt", "/etc/evil.txt", "a/../../evil.txt", "C:/evil.txt", "..\\evil.txt"])
def test_a_path_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="leads out of it"):
        open_archive(zipped(tmp_path / "a.zip", **{name: b"x"}), tmp_path / "data")
    assert list((tmp_path / "data").iterdir()) == []
    assert not (tmp_path / "evil.txt").exists()


def test_links_and_hidden_files_are_passed_over(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name, kind in (("a.txt", tarfile.REGTYPE), ("link", tarfile.SYMTYPE), ("pipe", tarfile.FIFOTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member, io.BytesIO(b""))
        for name in (".hidden", "__MACOSX/x", "a/._b"):
            tar.addfile(tarfile.TarInfo(name), io.BytesIO(b""))
    opened = open_archive(tmp_path / "a.tar", tmp_path / "data")
    assert [path.name for path in opened.rglob("*")] == ["a.txt"]


def test_a_bomb_is_stopped_while_it_unpacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "SMALL", 10**6)
    with pytest.raises(UserError, match="unpacks to more than"):
        open_archive(zipped(tmp_path / "a.zip", a=bytes(3 * 10**6)), tmp_path / "data")
    assert list((tmp_path / "data").iterdir()) == []


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_FILES", 3)
    with pytest.raises(UserError, match="more than 3 files"):
        open_archive(zipped(tmp_path / "a.zip", **{f"f{number}": b"x" for number in range(5)}), tmp_path / "data")


def said_of(path: Path) -> str:
    """What is said of a broken archive, or of one that opens all the same."""
    try:
        open_archive(path, path.parent / "data")
    except UserError as error:
        return str(error)
    return "this archive opens"


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tgz", "a.rar", "a.7z"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04" + bytes(500), bytes(2000), b"\x1f\x8b\x08" + b"x" * 90])
def test_what_is_no_archive_gets_a_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert "this archive" in said_of(tmp_path / name)


def test_a_cut_or_garbled_zip_gets_a_sentence(tmp_path: Path) -> None:
    whole = zipped(tmp_path / "a.zip", **{f"f{number}": bytes(range(256)) * 40 for number in range(5)}).read_bytes()
    for place in range(0, len(whole), 37):
        for data in (whole[:place], whole[:place] + b"\xff\x00" + whole[place + 2 :]):
            (tmp_path / "b.zip").write_bytes(data)
            assert "this archive" in said_of(tmp_path / "b.zip")

"""The listing of a data folder: links out of it are refused, and text that is not UTF-8 is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.data.files import list_files, read_text, split_in, tidy
from core.errors import Problem, UserError


def folder(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def test_hidden_files_are_not_data(tmp_path: Path) -> None:
    folder(tmp_path, "a.jpg", ".DS_Store", "._a.jpg", ".git/b.jpg", "__MACOSX/c.jpg", "sub/d.txt")
    assert list_files(tmp_path).names == ("a.jpg", "sub/d.txt")


@pytest.mark.parametrize("given", ["nowhere", "a.jpg"])
def test_what_is_no_folder_is_told(tmp_path: Path, given: str) -> None:
    folder(tmp_path, "a.jpg")
    with pytest.raises(UserError, match="no such folder"):
        list_files(tmp_path / given)


def test_links_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    outside = folder(tmp_path / "outside", "s.jpg", "deep/t.jpg")
    inside = folder(tmp_path / "inside", "a.jpg", "sub/b.jpg")
    (inside / "s.jpg").symlink_to(outside / "s.jpg")
    (inside / "relative.jpg").symlink_to("../outside/s.jpg")
    (inside / "deep").symlink_to(outside / "deep")
    (inside / "gone.jpg").symlink_to(outside / "none")
    (inside / "loop.jpg").symlink_to(inside / "loop.jpg")
    (inside / "again.jpg").symlink_to("sub/b.jpg")
    (inside / "twice").symlink_to("sub")
    listed = list_files(inside)
    assert listed.names == ("a.jpg", "again.jpg", "sub/b.jpg")
    reported = {problem.where: problem.kind for problem in listed.problems}
    outwards = dict.fromkeys(("s.jpg", "relative.jpg", "deep", "gone.jpg", "loop.jpg"), "link-outside")
    assert reported == {**outwards, "twice": "link-folder"}


def test_a_data_folder_may_itself_be_a_link(tmp_path: Path) -> None:
    folder(tmp_path / "real", "a.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    listed = list_files(tmp_path / "link")
    assert (listed.names, listed.problems) == (("a.jpg",), ())


@pytest.mark.parametrize(
    ("written", "near", "found"),
    [
        ("train/a.jpg", (), "train/a.jpg"),
        ("a.jpg", ("train",), "train/a.jpg"),
        ("./a.jpg", ("valid/images",), "valid/images/a.jpg"),
        ("C:\\Users\\me\\only.jpg", (), "train/only.jpg"),
        ("/home/me/a.jpg", ("train",), "train/a.jpg"),
        ("a.jpg", (), None),
        ("../outside.jpg", ("train",), None),
        ("/etc/passwd", (), None),
        ("notes.txt", ("train",), None),
        ("", (), None),
    ],
)
def test_a_written_path_only_ever_means_a_listed_photo(
    tmp_path: Path, written: str, near: tuple[str, ...], found: str | None
) -> None:
    folder(tmp_path / "set", "train/a.jpg", "train/only.jpg", "valid/images/a.jpg", "train/notes.txt")
    folder(tmp_path, "outside.jpg")
    assert list_files(tmp_path / "set").photo_names.find(written, near).photo == found


@pytest.mark.parametrize(
    ("raw", "message", "where"),
    [
        ("ü\n".encode("utf-16"), "UTF-16", "a.txt"),
        (b"\xfe\xff\x00a", "UTF-16", "a.txt"),
        ("a\nb\n".encode("utf-16-le"), "zero bytes", "a.txt line 1"),
        (b"ok\nB\xf6schung\n", "byte 0xF6", "a.txt line 2"),
        (b"ok\nok\nab\x00", "zero bytes", "a.txt line 3"),
    ],
)
def test_a_wrong_encoding_is_told_with_its_line(tmp_path: Path, raw: bytes, message: str, where: str) -> None:
    (tmp_path / "a.txt").write_bytes(raw)
    problem = read_text(list_files(tmp_path), "a.txt")
    assert isinstance(problem, Problem)
    assert (problem.kind, problem.where) == ("wrong-encoding", where)
    assert message in problem.what


@pytest.mark.parametrize("raw", ["Böschung", "\ufeffBöschung"])
def test_utf_8_is_read_with_and_without_its_mark(tmp_path: Path, raw: str) -> None:
    (tmp_path / "a.txt").write_text(raw, encoding="utf-8")
    assert read_text(list_files(tmp_path), "a.txt") == "Böschung"


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train/images/a.jpg", "train"),
        ("images/val/a.jpg", "valid"),
        ("Valid/a.jpg", "valid"),
        ("validation/a.jpg", "valid"),
        ("x/test/y/a.jpg", "test"),
        ("all/train.jpg", ""),
        ("training_old/a.jpg", ""),
    ],
)
def test_folders_name_the_split(name: str, split: str) -> None:
    assert split_in(name) == split


def test_a_path_that_leads_out_keeps_its_dots() -> None:
    assert tidy("a/../../b") == "../b"
    assert tidy("./a//b/../c") == "a/c"

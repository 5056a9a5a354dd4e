"""The chooser of folders: what is listed, that no trick leads above the root, and what a click does."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from core.errors import UserError
from core.runs import store
from core.runs.workspace import Workspace
from core.settings import Settings, merge
from damgui.components import folders
from damgui.forms import Form
from damgui.frame import Frame

MOST_S = 2.0  # for 10,000 entries, on a machine that is busy


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with two folders, a hidden one, links and a file in it; a folder beside it that nobody may see."""
    made = tmp_path / "root"
    for name in ("May flight/images", "april", ".hidden/inside"):
        (made / name).mkdir(parents=True)
    (tmp_path / "secret" / "keys").mkdir(parents=True)
    (made / "out").symlink_to(tmp_path / "secret")
    (made / "round").symlink_to(made / "round")
    (made / "photo.jpg").touch()
    return made


def test_folders_are_listed_by_name_without_hidden_ones_links_and_files(root: Path) -> None:
    found = folders.list_folders(root, "")
    assert (found.steps, found.names, found.more) == ((), ("april", "May flight"), False)
    inside = folders.list_folders(root, "May flight")
    assert (inside.steps, inside.names) == (("May flight",), ("images",))
    assert inside.folder == root.resolve() / "May flight"


@pytest.mark.parametrize(
    "forged",
    [
        "..",
        "../secret",
        "May flight/../../secret",
        "/",
        "/etc",
        "out",
        "out/keys",
        "round",
        ".hidden",
        ".hidden/inside",
        "photo.jpg",
        "gone",
        "a\0b",
        "~",
        "..\\..\\secret",
        "C:\\Windows",
        "x" * 5000,
        "/".join([".."] * 400),
        None,
        3,
        ["april"],
        {"open": "april"},
        b"april",
    ],
    ids=lambda value: repr(value)[:30],
)
def test_whatever_is_sent_nothing_outside_the_root_is_told(root: Path, forged: object) -> None:
    with pytest.raises(UserError) as refused:
        folders.list_folders(root, forged)
    assert "keys" not in str(refused.value)
    assert len(str(refused.value)) < 500


def test_a_root_behind_a_link_and_a_folder_that_says_where_it_is_are_below_it(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    assert folders.list_folders(tmp_path / "link", "april/../april/.").steps == ("april",)


def test_a_folder_with_ten_thousand_others_is_listed_at_once_and_says_that_it_holds_more(tmp_path: Path) -> None:
    for number in range(10_000):
        os.mkdir(tmp_path / f"{number:05}")
    began = time.monotonic()
    found = folders.list_folders(tmp_path, "")
    assert time.monotonic() - began < MOST_S
    assert (len(found.names), found.names[0], found.more) == (folders.MOST_LISTED, "00000", True)


def test_a_name_that_no_page_can_show_is_left_out_and_said_to_be_missing(tmp_path: Path) -> None:
    for name in (b"F\xfcllung", b"toe"):
        os.mkdir(os.fsencode(tmp_path) + b"/" + name)
    found = folders.list_folders(tmp_path, "")
    assert found.names == ("toe",) and found.more


def test_photos_beside_folders_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MOST_SCANNED", 5)
    for number in range(10):
        (tmp_path / f"{number}.jpg").touch()
    assert folders.list_folders(tmp_path, "").more


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("", ""),
        ("demo", ""),
        ("{root}", ""),
        ("{root}/april", "april"),
        ("{root}/May flight/images/", "May flight/images"),
        ("{root}/april/not yet there", "april"),
        ("{root}/../secret", ""),
        ("/etc", ""),
        ("~nobody/x", ""),
        ("a\0b", ""),
    ],
)
def test_the_list_begins_where_the_typed_path_lies(root: Path, typed: str, expected: str) -> None:
    assert folders.below_root(root, typed.format(root=root)) == expected


@pytest.fixture
def frame(workspace: Workspace, root: Path) -> Frame:
    return Frame(workspace, Form(), SimpleNamespace(), SimpleNamespace(), root)  # type: ignore[arg-type]


def used(workspace: Workspace, path: Path | str) -> None:
    store.create(workspace, merge(Settings(), {"data.path": str(path)}), "baseline")


def test_folders_that_runs_used_come_first_the_latest_before_the_others(
    frame: Frame, workspace: Workspace, root: Path, tmp_path: Path
) -> None:
    for path in (tmp_path / "secret", root / "april", "demo", tmp_path / "gone", root / "april"):
        used(workspace, path)
    assert folders.recent(frame.snapshot()) == [str(root / "april"), str(tmp_path / "secret")]


@pytest.fixture
def click(frame: Frame) -> Any:
    """What a click in the list changes: {field, fold, place: what they become}."""
    with gr.Blocks() as blocks:
        field = gr.Textbox()
        made = folders.chooser(frame, field, "data")
    handler = next(fn.fn for fn in blocks.fns.values() if (made.place._id, "select") in fn.targets)

    def act(sent: object) -> dict[str, Any]:
        names = {field: "field", made.fold: "fold", made.place: "place"}
        return {names[one]: value for one, value in handler(gr.EventData(None, sent)).items()}  # type: ignore[misc]

    return act


def test_a_click_on_a_folder_opens_it_and_use_writes_its_path(click: Any, root: Path) -> None:
    shown = click({"open": "May flight"})["place"]
    assert 'data-open="May flight/images"' in shown
    assert 'data-use="May flight"' in shown
    assert click({"use": "May flight"})["field"] == str(root.resolve() / "May flight")


def test_a_folder_used_before_is_taken_wherever_it_is_but_no_other(
    click: Any, workspace: Workspace, tmp_path: Path
) -> None:
    used(workspace, tmp_path / "secret")
    assert click({"recent": str(tmp_path / "secret")})["field"] == str(tmp_path / "secret")
    assert "field" not in click({"recent": "/etc"})


@pytest.mark.parametrize("sent", [{"open": "../secret"}, {"use": "../secret"}, {"use": 3}, {}, None, "april", [1]])
def test_a_forged_click_is_refused_in_a_sentence_above_the_root_s_own_list(click: Any, sent: object) -> None:
    found = click(sent)
    assert set(found) == {"place"}
    assert 'role="alert"' in found["place"]
    assert 'data-open="april"' in found["place"]
    assert "keys" not in found["place"]


def test_names_of_folders_are_words_and_no_markup(click: Any, root: Path) -> None:
    (root / '<img src=x onerror="alert(1)">').mkdir()
    assert "<img" not in click({"open": ""})["place"]

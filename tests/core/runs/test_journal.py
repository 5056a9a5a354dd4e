"""A change of several files happens as a whole or not at all, whenever it is killed and whatever the system refuses."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import UserError
from core.runs import journal, locks
from core.runs.workspace import Workspace

KilledAfter = Callable[[int, Callable[[], object]], bool]
BEFORE = {"models/a/x": "old", "experiments/b": '{"name": "a"}'}
AFTER = {"models/c/x": "old", "experiments/d": '{\n "name": "c"\n}\n', "experiments/e": "{}\n"}


def begin(root: Path) -> Workspace:
    root.mkdir(exist_ok=True)
    opened = journal.open_workspace(root)
    for place, text in BEFORE.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_text(text)
    return opened


def change(opened: Workspace) -> None:
    with journal.transaction(opened) as made:
        made.edit_json(opened.experiments / "b", lambda before: {**before, "name": "c"})
        made.moves += [(opened.models / "a", opened.models / "c")]
        made.moves += [(opened.experiments / "b", opened.experiments / "d")]
        made.add_json(opened.experiments / "e", {})
        made.commit()


def found(opened: Workspace) -> dict[str, str]:
    files = [path for path in opened.root.rglob("*") if path.is_file() and path.name != "history.lock"]
    return {path.relative_to(opened.root).as_posix(): path.read_text() for path in files}


def test_a_change_is_made_and_leaves_nothing_else(tmp_path: Path) -> None:
    opened = begin(tmp_path)
    change(opened)
    assert found(opened) == AFTER
    assert not opened.pending.exists()


def test_a_kill_before_any_operation_leaves_all_as_it_was_or_all_of_the_change(
    tmp_path: Path, killed_after: KilledAfter
) -> None:
    seen = []
    for count in range(1000):
        opened = begin(tmp_path / str(count))
        killed = killed_after(count, lambda opened=opened: change(opened))  # type: ignore[misc]
        journal.open_workspace(opened.root)
        assert found(opened) in (BEFORE, AFTER)
        seen.append(found(opened))
        if not killed:
            break
    first = seen.index(AFTER)
    assert first > 5  # kills while it is prepared
    assert len(seen) - first > 5  # and between its steps
    assert seen[first:] == [AFTER] * (len(seen) - first)


def test_a_kill_while_a_change_is_completed_is_completed_once_more(tmp_path: Path, killed_after: KilledAfter) -> None:
    committed, made = 0, False
    while not made:
        committed += 1
        opened = begin(tmp_path / f"try-{committed}")
        killed_after(committed, lambda opened=opened: change(opened))  # type: ignore[misc]
        made = (opened.pending / "journal.json").exists()
    for count in range(1000):
        opened = begin(tmp_path / str(count))
        killed_after(committed, lambda opened=opened: change(opened))  # type: ignore[misc]
        assert found(opened) != AFTER
        killed = killed_after(count, lambda opened=opened: journal.open_workspace(opened.root))  # type: ignore[misc]
        journal.open_workspace(opened.root)
        assert found(opened) == AFTER
        if not killed:
            return
    raise AssertionError("it never came to its end")


class Refusing:
    """The system refuses one move: a folder that is open elsewhere, a disk that is full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, opened: Workspace, name: str) -> None:
        self.opened, self.name, self.real = opened, name, os.replace
        monkeypatch.setattr(os, "replace", self)

    def __call__(self, source: str, target: str) -> None:
        if Path(target).name == self.name and Path(target).parent != self.opened.pending:
            self.name = ""
            raise OSError(28, "No space left on device", target)
        self.real(source, target)


@pytest.mark.parametrize("refused", ["b", "c", "d", "e"])
def test_what_the_system_refuses_takes_the_whole_change_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    opened = begin(tmp_path)
    with monkeypatch.context() as patch:
        Refusing(patch, opened, refused)
        with pytest.raises(UserError, match="the disk is full"):
            change(opened)
    assert found(opened) == BEFORE
    assert not opened.pending.exists()


def test_a_kill_while_a_change_is_taken_back_leaves_all_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_after: KilledAfter
) -> None:
    undoing = 0
    for count in range(1000):
        opened = begin(tmp_path / str(count))
        with monkeypatch.context() as patch:
            refusing = Refusing(patch, opened, "e")
            try:
                killed = killed_after(count, lambda opened=opened: change(opened))  # type: ignore[misc]
            except UserError:
                killed = False
        began = not refusing.name and (opened.pending / journal.UNDO).exists()
        journal.open_workspace(opened.root)
        if began or not killed:
            assert found(opened) == BEFORE
        undoing += began
        if not killed:
            break
    assert undoing > 5


def committed(opened: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The change is committed, and its process dies before the first step."""

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(journal, "_carry_out", die)
        with pytest.raises(KeyboardInterrupt):
            change(opened)
    assert (opened.pending / journal.JOURNAL).exists()


def test_what_came_to_an_old_place_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_after: KilledAfter
) -> None:
    opened = begin(tmp_path)
    committed(opened, monkeypatch)
    count = 0
    while not (opened.models / "c").exists():
        count += 1
        killed_after(count, lambda: journal.open_workspace(tmp_path))
    (opened.models / "a").mkdir()
    (opened.models / "a" / "x").write_text("another")
    journal.open_workspace(tmp_path)
    assert found(opened) == {**AFTER, "models/a/x": "another"}


def test_what_came_to_a_new_place_meanwhile_stays_and_the_change_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = begin(tmp_path)
    committed(opened, monkeypatch)
    (opened.experiments / "d").write_text("another")
    journal.open_workspace(tmp_path)
    assert found(opened) == {**BEFORE, "experiments/d": "another"}


def test_a_place_that_is_taken_refuses_the_change(tmp_path: Path) -> None:
    opened = begin(tmp_path)
    (opened.experiments / "d").write_text("another")
    with pytest.raises(UserError, match=r"has its place by now experiments/d|experiments/d: something else has its"):
        change(opened)
    assert found(opened) == {**BEFORE, "experiments/d": "another"}


def test_a_file_that_somebody_else_wrote_meanwhile_keeps_what_they_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = begin(tmp_path)
    committed(opened, monkeypatch)
    (opened.experiments / "b").write_text('{"name": "newer"}')
    journal.open_workspace(tmp_path)
    assert found(opened) == {**AFTER, "experiments/d": '{"name": "newer"}'}
    opened = begin(tmp_path / "second")
    with journal.transaction(opened) as made:
        made.edit_json(opened.experiments / "b", lambda before: {**before, "name": "c"})
        (opened.experiments / "b").write_text('{"name": "newer"}')
        with pytest.raises(UserError, match="changed by somebody else"):
            made.commit()
    assert found(opened) == {**BEFORE, "experiments/b": '{"name": "newer"}'}


@pytest.mark.parametrize("end", ["edit", "source", "target"])
@pytest.mark.parametrize("place", ["../outside/x", "/OUTSIDE/x", "link/x", "models/../../outside/x", "", "a\0b", 7])
def test_a_list_that_leads_out_of_the_workspace_is_refused_and_nothing_moves(
    tmp_path: Path, end: str, place: object
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x").write_text("not ours")
    opened = begin(tmp_path / "copied")
    (opened.root / "link").symlink_to(outside)
    place = place.replace("/OUTSIDE", str(outside)) if isinstance(place, str) else place
    move = {"source": "models/a", "target": "models/z", "inode": 0}
    steps = {
        "edits": [{"place": place, "before": journal._digest(outside / "x"), "after": ""}] if end == "edit" else [],
        "moves": [{**move, end: place} if end != "edit" else move],
    }
    opened.pending.mkdir()
    (opened.pending / "0-new").write_text("hostile")
    for name in (journal.JOURNAL, journal.UNDO):
        (opened.pending / name).write_text(json.dumps(steps))
        with pytest.raises(UserError, match="outside the workspace"):
            journal.open_workspace(opened.root)
        (opened.pending / name).unlink()
    assert sorted(path.name for path in outside.iterdir()) == ["x"]
    assert (outside / "x").read_text() == "not ours"
    assert (opened.models / "a" / "x").exists()


@pytest.mark.parametrize(
    "text", ["[]", "{}", "{", '{"edits": [{}], "moves": []}', '{"edits": [], "moves": [["a", "b"]]}']
)
def test_a_damaged_list_is_a_sentence(tmp_path: Path, text: str) -> None:
    opened = begin(tmp_path)
    opened.pending.mkdir()
    (opened.pending / journal.JOURNAL).write_text(text)
    with pytest.raises(UserError, match="damaged"):
        journal.open_workspace(tmp_path)


def test_a_pending_folder_that_is_a_link_is_left_alone(tmp_path: Path) -> None:
    opened = begin(tmp_path / "copied")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "journal.json").write_text('{"edits": [], "moves": []}')
    opened.pending.symlink_to(tmp_path / "outside")
    with pytest.raises(UserError, match="this is a link"):
        journal.open_workspace(opened.root)
    assert (tmp_path / "outside" / "journal.json").exists()


def test_two_at_once_are_one_change_and_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = begin(tmp_path)
    monkeypatch.setattr(locks, "PATIENCE_S", 0.01)
    with locks.hold(opened.history_lock), pytest.raises(UserError, match=r"is just changing.*Try again") as refused:
        change(opened)
    assert refused.value.problems[0].kind == "busy"
    assert found(opened) == BEFORE


def test_opening_a_workspace_leaves_a_change_alone_that_is_under_way(tmp_path: Path) -> None:
    opened = begin(tmp_path)
    with journal.transaction(opened) as made:
        made.add_json(opened.experiments / "e", {})
        journal.open_workspace(tmp_path)
        made.commit()
    assert (opened.experiments / "e").exists()


def test_a_move_whose_flush_is_refused_is_taken_back_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = begin(tmp_path)
    real, moved = journal.sync_entry, opened.models / "c"

    def refuse(path: Path) -> None:
        if path == moved:
            monkeypatch.setattr(journal, "sync_entry", real)
            raise OSError("the disk refuses to flush")
        real(path)

    monkeypatch.setattr(journal, "sync_entry", refuse)
    with pytest.raises(UserError):
        change(opened)
    assert found(opened) == BEFORE

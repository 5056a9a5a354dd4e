"""A change of several files happens as a whole or not at all, whenever it is killed and whatever the system refuses."""

from __future__ import annotations

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
        made.edit_json(opened.experiments / "b", {"name": "c"})
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


@pytest.mark.parametrize("refused", range(4))
def test_what_the_system_refuses_takes_the_whole_change_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: int
) -> None:
    """The moves of a change are refused one by one: a folder that is open elsewhere, a disk that is full."""
    opened, real, refusals = begin(tmp_path), os.replace, [("b", "c", "d", "e")[refused]]

    def replace(source: str, target: str) -> None:
        if Path(target).name in refusals and Path(target).parent != opened.pending:
            refusals.clear()
            raise OSError(28, "No space left on device", target)
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        with pytest.raises(UserError, match="the disk is full"):
            change(opened)
    journal.open_workspace(tmp_path)
    assert found(opened) == BEFORE


def test_what_came_to_an_old_place_meanwhile_stays(tmp_path: Path, killed_after: KilledAfter) -> None:
    opened, count = begin(tmp_path), 0
    while not (opened.models / "c").exists():
        killed_after(count, lambda: change(opened))
        count += 1
    (opened.models / "a").mkdir()
    (opened.models / "a" / "x").write_text("another")
    journal.open_workspace(tmp_path)
    assert found(opened) == {**AFTER, "models/a/x": "another"}


def test_two_at_once_are_one_change_and_a_sentence(tmp_path: Path) -> None:
    opened = begin(tmp_path)
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

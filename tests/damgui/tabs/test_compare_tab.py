"""The Compare tab offers what can be judged and compared, and says why when something cannot."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, cast

import gradio as gr
import pytest

from core.runs import store
from core.runs.rename import rename
from core.runs.workspace import Workspace
from core.settings import Settings
from damgui import text
from damgui.forms import Form
from damgui.frame import Frame
from damgui.scores import evaluations, sentences
from damgui.snapshot import SHARED_FOR_S, TunedModel, take_snapshot
from damgui.tabs.compare import tab
from tests.inspector import inspected

RIGHT, WRONG = [("normal", "normal")] * 2, [("normal", "blocked")] * 2


@pytest.fixture
def frame(workspace: Workspace) -> Frame:
    return Frame(workspace, Form(), cast(gr.Tabs, None), cast(gr.HTML, None))


def tuned_model(workspace: Workspace, name: str, split: dict[str, list[str]] | None) -> TunedModel:
    run = store.create(workspace, Settings(), "train", name)
    if split is not None:
        (run.folder / "split.json").write_text(json.dumps(split))
    workspace.final(name).mkdir(parents=True, exist_ok=True)
    workspace.training_info(name).write_text("{}")
    return TunedModel(name, workspace.final(name), {})


def offered_splits(workspace: Workspace, tuned: TunedModel) -> list[tuple[str, str]]:
    return tab._splits(take_snapshot(workspace), tuned)


@pytest.mark.parametrize(
    ("split", "offered"),
    [
        ({"train": ["a"], "valid": ["b"], "test": ["c"]}, ["valid", "test"]),
        ({"train": ["a"], "valid": ["b"]}, ["valid"]),
        ({"train": ["a"], "valid": ["b"], "test": []}, ["valid"]),
        (None, ["valid", "test"]),  # not known: the evaluation itself tells what is missing
    ],
)
def test_test_photos_are_offered_where_the_training_found_some(
    frame: Frame, workspace: Workspace, split: dict[str, list[str]] | None, offered: list[str]
) -> None:
    assert [name for _, name in offered_splits(workspace, tuned_model(workspace, "mine", split))] == offered


def test_a_damaged_split_hinders_nothing(frame: Frame, workspace: Workspace) -> None:
    tuned = tuned_model(workspace, "mine", {})
    (store.latest(workspace, "train").folder / "split.json").write_text("{half")  # type: ignore[union-attr]
    assert [name for _, name in offered_splits(workspace, tuned)] == ["valid", "test"]


def test_the_base_model_is_asked_just_as_the_tuned_one_was(workspace: Workspace, judge: Any) -> None:
    judge(RIGHT, "mine", "test", **{"view.mode": "crop", "enhance.spatial_reasoning": False})
    (run,) = evaluations.evaluated_runs(take_snapshot(workspace))
    settings = tab._base_settings(run)
    assert (settings.model.path, settings.data.split, settings.view.mode) == ("demo", "test", "crop")
    assert settings.enhance.spatial_reasoning is False


@pytest.mark.parametrize(("base", "missing"), [("valid", False), ("test", True), ("", True)])
def test_a_missing_baseline_on_these_photos_is_noticed(
    workspace: Workspace, judge: Any, base: str, missing: bool
) -> None:
    if base:
        judge(WRONG, split=base)
    judge(RIGHT, "mine", "valid")
    runs = evaluations.evaluated_runs(take_snapshot(workspace))
    before, after = evaluations.defaults(runs)
    view = tab.View(None, "valid", runs, before, after)
    assert view.base_is_missing is missing
    assert view.comparable is not missing


def test_the_tab_says_what_to_do_next(frame: Frame, workspace: Workspace, judge: Any) -> None:
    def state(tuned: TunedModel | None, split: str = "valid") -> str:
        runs = evaluations.evaluated_runs(take_snapshot(workspace))
        view = tab.View(tuned, split, runs, *evaluations.defaults(runs))
        has_base = any(not run.tuned for run in runs)
        return tab._state(view, None, has_base, not any(run.tuned and run.split == split for run in runs))

    assert text.COMPARE_NO_BASELINE in state(None)
    judge(WRONG)
    assert text.COMPARE_NO_TUNED in state(None)
    tuned = tuned_model(workspace, "mine", None)
    assert "mine has not judged the validation photos yet" in state(tuned)
    judge(RIGHT, "mine")
    assert state(tuned) == ""
    assert sentences.TEST_HONEST in state(tuned, "test")
    judge(RIGHT, "mine", "test")
    assert sentences.no_base("mine", "test") in state(tuned)


def test_the_curves_of_several_trainings_carry_their_names(frame: Frame, workspace: Workspace) -> None:
    ids = []
    for name in ("first", "second", "empty"):
        run = store.create(workspace, Settings(), "train", name)
        steps = [{"t": 1.0, "kind": "step", "step": 1, "loss": 2.0}] if name != "empty" else []
        Path(run.events).write_text("".join(json.dumps(step) + "\n" for step in steps))
        ids.append(run.id)
    figure = json.loads(tab._learning(take_snapshot(workspace), ids) or "{}")
    assert {trace["name"] for trace in figure["data"]} == {"first", "second"}
    assert (
        tab._learning(take_snapshot(workspace), [])
        is tab._learning(take_snapshot(workspace), None)
        is tab._learning(take_snapshot(workspace), ids[2:])
        is None
    )


def test_a_new_name_is_seen_in_every_list(workspace: Workspace) -> None:
    inspected(workspace)
    with gr.Blocks():
        frame = Frame(workspace, Form(), gr.Tabs(), gr.HTML())
        tab.build(frame)
    shown: dict[Any, Any] = {part: None for watcher in frame.watchers for part in (watcher.seen, *watcher.reads)}

    def offered() -> list[str]:
        updates = frame.tick(shown)[1]
        for component, value in updates.items():
            if component in shown:
                shown[component] = value.value if isinstance(value, gr.Dropdown) else value
        lists = [value for value in updates.values() if isinstance(value, gr.Dropdown)]
        return sorted({name for one in lists for name, _ in one.choices if "small" in name or "big" in name})

    before = offered()
    assert len(before) == 3 and all("small" in name for name in before)
    rename(workspace, "small", "big")
    time.sleep(SHARED_FOR_S)
    assert offered() == [name.replace("small", "big") for name in before]


def test_a_list_takes_what_it_no_longer_offers_for_no_choice(workspace: Workspace) -> None:
    """Gradio would refuse the pulse of a page that still sends it, and with it all that the page shall show."""
    inspected(workspace)
    with gr.Blocks() as page:
        frame = Frame(workspace, Form(), gr.Tabs(), gr.HTML())
        tab.build(frame)
    lists = [block for block in page.blocks.values() if isinstance(block, gr.Dropdown)]
    assert len(lists) == 5
    for one in lists:
        gone: Any = ["gone"] if one.multiselect else "gone"
        assert one.preprocess(gone) == gone
    sent: dict[Any, Any] = {part: None for watcher in frame.watchers for part in watcher.reads}
    updates = frame.tick({watcher.seen: None for watcher in frame.watchers} | dict.fromkeys(sent, "gone"))[1]
    assert any("small" in str(value.choices) for value in updates.values() if isinstance(value, gr.Dropdown))


def test_a_file_that_goes_as_it_is_read_leaves_the_rest_of_the_page_alive(workspace: Workspace) -> None:
    def gone(*_: Any) -> Any:
        raise FileNotFoundError

    with gr.Blocks():
        frame = Frame(workspace, Form(), gr.Tabs(), gr.HTML())
        first, second = frame.watch(gone, gr.HTML()), frame.watch(lambda *_: ((), {"new": 1}), gr.HTML())
    assert frame.tick({first.seen: None, second.seen: None})[1] == {second.seen: (), "new": 1}

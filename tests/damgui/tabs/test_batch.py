"""Many photos: the most urgent answers come first, names are words, and nothing of the workspace is served."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import gradio as gr
import pytest
from PIL import Image

from core.errors import UserError
from core.report.annotate import annotated_name
from core.runs import store
from core.runs.events import append, event
from core.runs.files import write_json
from core.runs.rename import rename
from core.runs.store import Run
from core.runs.workspace import Workspace
from core.settings import Settings, merge
from damgui import page, run_state
from damgui.components import downloads, report_button
from damgui.forms import Form
from damgui.frame import Frame
from damgui.snapshot import take_snapshot
from damgui.tabs.batch import tab, view
from tests.damgui.conftest import state_of
from tests.inspector import inspected

HOSTILE = "<script>alert(1)</script>.jpg"


def answer(image: str, number: int, predicted: str, share: float, **more: Any) -> dict[str, Any]:
    return {
        "image": image,
        "object": number,
        "box_xyxy_px": [1, 1, 9, 9],
        "object_type": "toe drain",
        "predicted_type": "toe drain",
        "predicted": predicted,
        "predicted_class": f"toe drain {predicted}",
        "question": "condition",
        "choices": 3,
        "probabilities": {predicted: share},
        **more,
    }


ANSWERS = [
    answer("a.jpg", 0, "normal", 0.9),
    answer("a.jpg", 1, "blocked", 0.6),
    answer("b.jpg", 0, "damaged", 0.7),
    answer("b.jpg", 1, "normal", 0.5, unsure=True),
    answer(HOSTILE, 0, "damaged", 0.999),
]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A finished batch."""
    made = store.create(store.open_workspace(tmp_path), merge(Settings(), {"data.path": str(tmp_path)}), "batch")
    made.predictions.write_text("".join(json.dumps(line) + "\n" for line in ANSWERS))
    counts = {"normal": 2, "blocked": 1, "damaged": 2}
    write_json(
        made.results,
        {
            "conditions": counts,
            "objects": 5,
            "photos": 3,
            "unsure": {"count": 1, "total": 5},
            "complete": True,
            "model": {},
            "data": {},
        },
    )
    for name in ("a.jpg", "b.jpg"):
        path = made.folder / "annotated" / annotated_name(name)
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (60, 40)).save(path)
    append(made.events, event("started", run=made.id, pid=1, job="batch", parent=0))
    append(made.events, event("ended", how="finished", error="", problems=[], seconds=1.0))
    return made


def test_faults_come_before_unsure_answers_and_those_before_the_rest(run: Run) -> None:
    order = [(entry.condition, entry.unsure) for entry in view.urgent(run)]
    assert order == [("damaged", False), ("damaged", False), ("blocked", False), ("normal", True), ("normal", False)]
    assert [entry.confidence for entry in view.urgent(run)][:2] == [0.999, 0.7]
    assert [name for name, _ in view.photos(run)] == [HOSTILE, "b.jpg", "a.jpg"]


def test_the_table_is_limited_and_names_are_words(run: Run) -> None:
    shown = view.table(run, 2)
    assert shown.count("<tr>") == 3
    assert "<script" not in shown and "&lt;script&gt;" in shown
    assert "&gt; 99 %" in shown and "100 %" not in shown
    assert view.table(run, 50).count("? unsure") == 1


def test_the_gallery_shows_what_was_drawn_inside_the_page(run: Run) -> None:
    shown = view.gallery(run, 10)
    assert shown.count("<img") == 2  # one of three was never drawn
    assert 'src="data:image/jpeg;base64,' in shown and str(run.folder) not in shown
    assert view.gallery(run, 2).count("<img") == 1


def test_the_summary_counts_conditions_and_unsure_answers(run: Run) -> None:
    shown = view.summary(run)
    for words in ("damaged", "? unsure", "on 3 photos"):
        assert words in shown
    assert "not calibrated" not in shown
    found = json.loads(run.results.read_text())
    del found["unsure"]
    run.results.write_text(json.dumps(found))
    assert "not calibrated" in view.summary(run)


def test_the_pace_of_a_batch_that_goes_on_counts_its_new_photos_only(run: Run) -> None:
    append(
        run.events, event("progress", done=30, total=50, unit="photos", correct=0, judged=0, elapsed_s=5.0, before=20)
    )
    pace = run_state.baseline_progress(state_of(run))
    assert pace is not None and (pace.per_s, pace.left_s) == (2.0, 10.0)


def test_files_are_handed_out_as_copies_and_no_folder_is_opened(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    offered = Path(downloads.offer(run.predictions))
    assert offered.read_bytes() == run.predictions.read_bytes()
    assert not offered.is_relative_to(run.workspace.root)
    given: dict[str, Any] = {}
    monkeypatch.setattr(gr.Blocks, "launch", lambda self, **about: given.update(about))
    monkeypatch.setattr(page.threading.Event, "wait", lambda self: (_ for _ in ()).throw(KeyboardInterrupt()))
    page.serve(run.workspace.root, port=0, open_browser=False)
    assert given and not given.get("allowed_paths")


def framed(run: Run) -> Frame:
    with gr.Blocks(), gr.Tabs() as tabs:
        return Frame(run.workspace, Form(), tabs, cast(gr.HTML, None))


def test_reports_are_offered_of_runs_with_results_newest_first(run: Run) -> None:
    frame = framed(run)
    empty = store.create(run.workspace, Settings(), "evaluate", "short")
    assert report_button.with_results(frame.snapshot(), "batch", "evaluate") == [run]
    write_json(empty.results, {})
    assert [one.id for one in report_button.with_results(frame.snapshot(), "batch", "evaluate")] == [empty.id, run.id]
    assert "short" in report_button.label(empty) and "  " not in report_button.label(run)


@pytest.fixture
def ask(run: Run) -> Callable[[str, str], Settings]:
    """ask(model, folder): the settings that the tab would start a batch with."""

    def settings(model: str, folder: str) -> Settings:
        with gr.Blocks(), gr.Tabs() as tabs, gr.Tab():
            frame = Frame(run.workspace, Form(), tabs, cast(gr.HTML, None))
            w = tab._draw(frame)
            frame.form.add("data.use_good")
        values: Mapping[Any, Any] = {
            w.model: model,
            w.folder: folder,
            frame.form.widgets["batch.annotate"]: False,
            frame.form.widgets["data.use_good"]: True,
        }
        return tab._settings(frame, values, w)

    return settings


def test_a_batch_takes_model_and_folder_of_the_tab_and_the_forms_switches(ask: Any, tmp_path: Path) -> None:
    settings = ask("demo", f"  {tmp_path}  ")
    assert (settings.model.path, settings.data.path) == ("demo", str(tmp_path))
    assert (settings.batch.annotate, settings.data.use_good, settings.data.limit) == (False, True, 0)
    assert settings.lora.rank == store.settings_for_model("demo").lora.rank


def test_without_a_folder_nothing_begins(ask: Any) -> None:
    with pytest.raises(UserError, match="folder"):
        ask("demo", "   ")


@pytest.mark.parametrize("folder", ["/no/such/folder", "a\0b", "x" * 5000])
def test_a_folder_that_is_not_there_is_named_and_nothing_begins(ask: Any, folder: str) -> None:
    with pytest.raises(UserError, match="There is no folder"):
        ask("demo", folder)


def test_a_chosen_model_that_got_another_name_is_no_longer_chosen_for_many_photos(workspace: Workspace) -> None:
    inspected(workspace)
    kept, gone = "a/hub-id", str(workspace.final("small"))
    rename(workspace, "small", "big")
    with gr.Blocks():
        frame = Frame(workspace, Form(), gr.Tabs(), gr.HTML())
        tab.build(frame)
    (watcher,) = [watcher for watcher in frame.watchers if any(isinstance(part, gr.Dropdown) for part in watcher.reads)]
    for chosen, value in ((gone, str(workspace.final("big"))), (kept, kept)):
        _, updates = watcher.refresh(take_snapshot(workspace), ("small",), chosen) or ((), {})
        assert [offered.value for offered in updates.values()] == [value]

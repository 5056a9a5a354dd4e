"""Roof tiles, five conditions, other words: the whole job with a taxonomy file alone, and not a word of the dam's."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from transformers import Qwen2Tokenizer

from core.demo.base_model import save
from core.engine import batch, evaluation, questions
from core.engine.prediction import Predictor
from core.engine.training.run import train
from core.report import document
from core.report.annotate import annotated_name
from core.runs import store
from core.runs.events import event
from core.runs.store import Run
from core.runs.workspace import Workspace
from core.settings import Settings, load, merge
from core.taxonomy import Taxonomy
from core.taxonomy import load as load_taxonomy
from damgui.charts import classes
from damgui.charts.base import to_json
from damgui.cli import commands
from damgui.components import datasets
from damgui.components import html as parts
from damgui.components import photos as pictures
from damgui.scores import results, scores
from damgui.tabs.batch import view as batches
from damgui.tabs.predict import view
from damgui.tabs.predict.questions import BoxQuestion
from tests.core.engine.conftest import tiny

ROOFS = """
name: roofs
scene: tiled roof
conditions:
  sound: {spellings: [fine]}
  mossy: {alarm: false}
  cannot be seen: {alarm: false}
  loose: {weight: 3, colour: "#7d5fc4"}
  broken: {weight: 5, mark: wedge}
object_types:
  clay tile: {}
  ridge tile: {conditions: [sound, loose, broken]}
  skylight: {conditions: [sound], observed: true}
"""
NAMES = [
    "clay tile",
    "Mossy clay tile",
    "clay tile: cannot be seen",
    "ridge_tile-loose",
    "BROKEN ridge tile",
    "skylight",
]
CONDITIONS_OF_THE_DAM = re.compile(r"\b(normal|blocked|damaged)\b", re.IGNORECASE)
WORDS_OF_THE_DAM = re.compile(r"\b(normal|blocked|damaged|dams?|drains?|toe|rock|vegetation)\b", re.IGNORECASE)


@dataclass
class Recorder:
    """A reporter that remembers."""

    events: list[dict[str, Any]] = field(default_factory=list)

    def emit(self, kind: str, **fields: Any) -> None:
        self.events.append(event(kind, **fields))

    def stop_requested(self) -> bool:
        return False


@dataclass(frozen=True)
class Job:
    """A workspace in which everything was done once; `prompts` are the questions that the model was asked."""

    workspace: Workspace
    taxonomy: Taxonomy
    settings: Settings
    runs: Mapping[str, Run]
    prompts: tuple[str, ...]
    reporter: Recorder
    trained: Mapping[str, Any]

    def results(self, kind: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.runs[kind].results.read_text())
        return found


def photograph(root: Path, split: str, number: int) -> None:
    """A roof with one object of every class, in two rows."""
    picture = Image.effect_noise((96, 96), 30 + number).convert("RGB")
    lines = []
    for index in range(len(NAMES)):
        x, y = 8 + 30 * (index % 3), 12 + 44 * (index // 3)
        ImageDraw.Draw(picture).rectangle((x, y, x + 22, y + 30), fill=(60 + 30 * index, 90, 200 - 25 * index))
        lines.append(f"{index} {(x + 11) / 96} {(y + 15) / 96} {22 / 96} {30 / 96}\n")
    for part in ("images", "labels"):
        (root / split / part).mkdir(parents=True, exist_ok=True)
    picture.save(root / split / "images" / f"roof{'abcdefgh'[number]}_{number}.jpg")
    (root / split / "labels" / f"roof{'abcdefgh'[number]}_{number}.txt").write_text("".join(lines))


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory, tokenizer: Qwen2Tokenizer) -> Job:
    """Baseline, training, evaluation and a judged folder, with a random model that speaks any words."""
    root = tmp_path_factory.mktemp("roofs")
    (root / "roofs.yaml").write_text(ROOFS)
    data = root / "photos"
    for number in range(6):
        photograph(data, "train" if number < 4 else "valid", number)
    (data / "data.yaml").write_text(f"train: train/images\nval: valid/images\nnames: {NAMES}\n")
    save(tiny("qwen2_vl", tokenizer), root / "model")
    (root / "work").mkdir()
    workspace = store.open_workspace(root / "work")
    changes = {
        "model.path": str(root / "model"),
        "model.device": "cpu",
        "data.path": str(data),
        "data.taxonomy": str(root / "roofs.yaml"),
        "data.calibration_share": 0.0,
        "view.photo_px": 84,
        "view.crop_px": 56,
        "enhance.condition_weighting": True,
        "enhance.condition_weights": {"loose": 4},
        "lora.rank": 4,
        "training.max_steps": 2,
        "training.learning_rate": 5e-3,
    }
    settings, reporter, prompts, runs = merge(load("demo"), changes), Recorder(), set(), {}
    patched = pytest.MonkeyPatch()
    spoken = questions.question_text
    patched.setattr(questions, "question_text", lambda *given: prompts.add(spoken(*given)) or spoken(*given))
    try:
        runs["baseline"] = store.create(workspace, settings, "baseline")
        evaluation.run(settings, runs["baseline"].folder, workspace, reporter)
        runs["train"] = store.create(workspace, settings, "train", "tiles")
        trained = train(settings, "tiles", runs["train"].folder, workspace, reporter, False)
        final = {"model.path": str(workspace.final("tiles")), "judging.references": False}
        tuned = merge(settings, {**final, "question.kind": "class"})
        runs["evaluate"] = store.create(workspace, tuned, "evaluate")
        evaluation.run(tuned, runs["evaluate"].folder, workspace, reporter)
        runs["batch"] = store.create(workspace, merge(tuned, {"question.kind": "condition"}), "batch")
        batch.run(runs["batch"].settings(), runs["batch"].folder, workspace, reporter)
    finally:
        patched.undo()
    return Job(workspace, load_taxonomy(str(root / "roofs.yaml")), settings, runs, tuple(prompts), reporter, trained)


def test_the_data_check_reads_the_words_of_the_roof(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = [f"data.taxonomy={job.settings.data.taxonomy}", "data.calibration_share=0"]
    words = [part for setting in chosen for part in ("--set", setting)]
    assert (
        commands.main(["check", "--data", job.settings.data.path, "--workspace", str(job.workspace.root), *words]) == 0
    )
    printed = capsys.readouterr().out
    assert "ridge tile broken" in printed and not CONDITIONS_OF_THE_DAM.search(printed)


def test_no_question_holds_a_word_of_the_dam(job: Job) -> None:
    assert len(job.prompts) >= 12
    assert all("tiled roof" in prompt and not WORDS_OF_THE_DAM.search(prompt) for prompt in job.prompts)
    assert any("sound, mossy, cannot be seen, loose, broken" in prompt for prompt in job.prompts)


def test_results_events_and_predictions_hold_no_condition_of_the_dam(job: Job) -> None:
    for run in job.runs.values():
        for path in (run.results, run.predictions, run.folder / "config.yaml"):
            if path.is_file():
                assert not CONDITIONS_OF_THE_DAM.search(path.read_text()), path
    assert not CONDITIONS_OF_THE_DAM.search(json.dumps(job.reporter.events))
    assert not [event for event in job.reporter.events if "no effect" in str(event.get("text"))]


def test_only_what_alarms_is_scored_as_an_alarm(job: Job) -> None:
    assert list(job.results("baseline")["alarms"]) == list(job.results("evaluate")["alarms"]) == ["loose", "broken"]
    assert set(job.results("batch")["conditions"]) == {"sound", "mossy", "cannot be seen", "loose", "broken"}


def test_weights_are_the_settings_then_the_taxonomys(job: Job) -> None:
    weights = job.trained["class_weights"]
    # The demo's settings weigh rare classes too; here all are equally frequent.
    assert weights["ridge tile loose"] / weights["clay tile sound"] == pytest.approx(4, rel=1e-3)
    assert weights["ridge tile broken"] / weights["clay tile sound"] == pytest.approx(5, rel=1e-3)


@pytest.mark.parametrize("kind", ["baseline", "evaluate", "batch"])
def test_the_report_speaks_of_the_roof(job: Job, kind: str) -> None:
    made = document.write(job.runs[kind])
    body = re.sub(r"<style>.*?</style>|data:image/[^\"]*", "", made.path.read_text(), flags=re.DOTALL)
    assert not CONDITIONS_OF_THE_DAM.search(body)
    assert "present" in body and "skylight sound" not in body
    assert job.taxonomy.condition("loose").colour == "#7d5fc4"
    assert '--c:#7d5fc4"><i>' in body


def test_annotated_photos_are_drawn(job: Job) -> None:
    names = {json.loads(line)["image"] for line in job.runs["batch"].predictions.read_text().splitlines()}
    assert names and all((job.runs["batch"].folder / "annotated" / annotated_name(name)).is_file() for name in names)


def pieces(job: Job) -> dict[str, str | None]:
    """What the tabs draw."""
    shown = results.load(job.workspace, job.runs["evaluate"].results)
    assert shown is not None and shown.taxonomy == job.taxonomy
    found, confusion = shown.results, shown.results["confusion"]
    data = datasets.read(job.workspace, job.settings)
    photo = data.split("valid")[0]
    answers = batches.urgent(job.runs["batch"])
    assert answers
    return {
        "legend": parts.legend(job.taxonomy.legend),
        "boxes": pictures.boxed(photo.path, datasets.marks(photo, job.taxonomy)),
        "alarms": scores.alarms(found, shown.taxonomy),
        "classes": scores.class_table(found["per_class"], shown.taxonomy, shown.order),
        "bars": to_json(classes.per_class(found["per_class"], shown.taxonomy, shown.order)),
        "matrix": to_json(classes.confusion(confusion["labels"], confusion["counts"], shown.taxonomy, shown.order)),
        "mistakes": results.mistake_cards(shown, shown.mistakes[:6]),
        "batch": batches.summary(job.runs["batch"]),
        "answers": batches.table(job.runs["batch"], 20),
        "photos": batches.gallery(job.runs["batch"], 3),
    }


def test_the_page_speaks_of_the_roof(job: Job) -> None:
    drawn = pieces(job)
    for name, piece in drawn.items():
        assert piece and not CONDITIONS_OF_THE_DAM.search(re.sub(r"data:image/[^\"]*", "", piece)), name
    assert "present" in str(drawn["legend"]) and "present" in str(drawn["boxes"])
    for condition in job.taxonomy.legend:
        assert condition.colour in str(drawn["legend"]) and condition.sign in str(drawn["legend"])


@pytest.mark.parametrize(("object_type", "allowed"), [("ridge tile", {"sound", "loose", "broken"}), (None, None)])
def test_one_photo_is_judged_in_the_words_of_the_roof(
    job: Job, object_type: str | None, allowed: set[str] | None
) -> None:
    tuned = str(job.workspace.final("tiles"))
    photo = next((Path(job.settings.data.path) / "valid" / "images").iterdir())
    settings = store.settings_for_model(tuned)
    models = [job.settings.model.path, tuned]
    request = {"image": str(photo), "box_xyxy_px": [8, 12, 30, 42], "object_type": object_type, "models": models}
    found = Predictor(merge(settings, {"model.path": job.settings.model.path})).predict(request)
    assert not CONDITIONS_OF_THE_DAM.search(json.dumps(found))
    asked = view.Answered(BoxQuestion((8, 12, 30, 42), object_type), found)
    known = view.taxonomy([asked], "")
    assert known == job.taxonomy
    for answer in found["answers"]:
        assert not allowed or set(answer["probabilities"]) == allowed
        kind = object_type or answer["predicted_type"]
        assert known.shown(kind, answer["predicted"]).name in view.answer_card(answer, kind, known)

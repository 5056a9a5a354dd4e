"""Evaluation: a run that judges a whole split, and the scores that come of it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core import settings as schema
from core.data import checks, splits
from core.data import dataset as reading
from core.data.types import Dataset, Photo
from core.engine import calibration, feature_cache, reuse
from core.engine.opened_model import OpenedModel, open_model
from core.engine.questions import PromptBuilder
from core.engine.reference_points.rows import prior_rows
from core.engine.reference_points.run import EvaluatedSplit, measure
from core.engine.scoring import judge_photos
from core.engine.training_split import as_trained
from core.errors import UserError
from core.metrics import score
from core.metrics.calibration import unsure_summary
from core.records import PredictionRow, PriorScore, main_numbers
from core.report import sentences
from core.results import Results
from core.runs.events import Reporter, as_stages
from core.runs.files import replace, write_json, write_lines
from core.runs.preflight import require_same_photos
from core.runs.store import is_adapter
from core.runs.workspace import Workspace
from core.settings import Settings
from core.taxonomy import Taxonomy
from core.units import percent

PREDICTIONS = "predictions.jsonl"  # in a run's folder


def seen_in_training(opened: OpenedModel, photos: Sequence[Photo], reporter: Reporter) -> int:
    """Count the photos that the adapter learned from; where there are any, a warning is reported.

    Args:
        opened: The model, which knows the photos its adapter learned from.
        photos: Those that it is to judge.
        reporter: Takes the warning.
    """
    seen = sum(photo.digest in opened.trained_on for photo in photos)
    if seen:
        reporter.emit(
            "warning", text=f"{seen} of these {len(photos)} photos were trained on: this score flatters the model."
        )
    return seen


def read_data(settings: Settings, workspace: Workspace, run_folder: Path, reporter: Reporter) -> Dataset:
    """Read the run's data set and report its problems.

    The split is kept in the run's folder as split.json, and used again by a later start. A tuned model is judged on the
    split of its training.

    Args:
        settings: `data` says where the photos lie and how they are split, `training.seed` seeds the split.
        workspace: Where the sample set lies.
        run_folder: The run's folder, which keeps split.json.
        reporter: Takes the stage, and each problem of data that is usable all the same as a warning.

    Returns:
        The data set, its splits in place.

    Raises:
        UserError: The data set cannot be used, or has changed since the run began.
    """
    reporter.emit("stage", text="Reading the photos")
    dataset = reading.read_dataset(
        settings.data, workspace.sample_data, settings.training.seed, on_progress=as_stages(reporter)
    )
    checks.require_clean(dataset, settings.data)
    kept = run_folder / splits.SPLIT_FILE
    if kept.is_file():
        dataset = splits.apply_split(dataset, splits.read_split(kept))
        require_same_photos(dataset, run_folder)
    elif is_adapter(settings.model.path):
        dataset = as_trained(dataset, Path(settings.model.path), workspace, settings.data.split)
    for problem in dataset.problems:
        reporter.emit("warning", text=str(problem))
    if kept.is_file():
        return dataset
    # Several processes of one training may be here at once: none may read half of what another writes.
    beside = run_folder / f"split.{os.getpid()}.part"
    splits.write_split(dataset, beside)
    require_same_photos(dataset, run_folder)
    replace(beside, kept)
    return dataset


def limited(photos: Sequence[Any], limit: int) -> list[Any]:
    """Take at most `limit` photos (0: all), spread evenly so that no flight fills the sample."""
    if not limit or limit >= len(photos):
        return list(photos)
    return [photos[int(index * len(photos) / limit)] for index in range(limit)]


def photos_of(dataset: Dataset, settings: Settings) -> list[Photo]:
    """Choose the photos to judge: those of the chosen split that hold objects, at most `data.limit`.

    Raises:
        UserError: No photo of the split holds an object.
    """
    found = [photo for photo in dataset.split(settings.data.split) if photo.objects]
    if not found:
        raise UserError(
            f"the split {settings.data.split} holds no boxed objects",
            settings.data.path,
            "Choose another split.",
            "empty-split",
        )
    return limited(found, settings.data.limit)


def prior_scores(train: Sequence[Photo], evaluated: Sequence[Photo], taxonomy: Taxonomy) -> PriorScore | None:
    """Score the answer that is the most frequent training condition of each type: the least that a model must beat.

    Args:
        train: The photos whose conditions are counted.
        evaluated: The photos that are answered.
        taxonomy: Names conditions and classes.

    Returns:
        Accuracy and macro-F1 in 0..1; None when `train` holds no object.
    """
    rows = prior_rows(train, evaluated, taxonomy)
    if not rows:
        return None
    scores = score(rows, intervals=False)
    return {"accuracy": scores["overall_accuracy"], "macro_f1": scores["macro_f1"]}


def _warn_of_other_tolerance(opened: OpenedModel, settings: Settings, reporter: Reporter) -> None:
    """Warn where an adapter was calibrated for another error than the one that the settings now tolerate."""
    rule = opened.calibration and opened.calibration.rule(settings.question.kind)
    if rule and rule.max_error != settings.judging.max_error:
        reporter.emit(
            "warning",
            text=f"This model was calibrated for a tolerated error of {percent(rule.max_error)}, not "
            f"{percent(settings.judging.max_error)}: which answers are unsure is decided when a model is trained.",
        )


def _inputs(
    files: dict[str, str] | None, opened: OpenedModel, photos: Sequence[Photo], settings: Settings
) -> dict[str, str] | None:
    """All that the answers follow from; None where the model's files are not known."""
    if files is None:
        return None
    found, fitted = reuse.answer_inputs(files, opened.loaded.machine, photos, settings, opened.taxonomy), ""
    if opened.calibration is not None:
        fitted = reuse.digest_of([opened.calibration.to_dict(), settings.judging.prior_correction])
    return {**found, "calibration": fitted}


def _known_rows(workspace: Workspace, inputs: reuse.Inputs) -> reuse.KnownRows | None:
    """What a run has answered to the same, as calibrated now, or as the model says, as a training's validation is."""
    ways = dict.fromkeys((inputs["calibration"], ""))
    found = (reuse.find(workspace, PREDICTIONS, {**inputs, "calibration": way}) for way in ways)
    return next((known for known in found if known is not None), None)


def _calibrated(row: PredictionRow, opened: OpenedModel, settings: Settings) -> PredictionRow:
    return calibration.calibrated_row(row, opened.calibration, settings.judging.prior_correction, opened.taxonomy)


def _judge(
    opened: OpenedModel, prompt_builder: PromptBuilder, photos: Sequence[Photo], run_folder: Path, reporter: Reporter
) -> tuple[list[PredictionRow], int]:
    """Judge photo by photo until all are judged or a stop is requested: the rows, and how many photos were judged."""
    settings, began = prompt_builder.settings, time.monotonic()
    reporter.emit("stage", text=f"Testing on {len(photos)} images")
    rows: list[PredictionRow] = []
    done = correct = 0
    with (run_folder / PREDICTIONS).open("w", encoding="utf-8") as stream:
        for _photo, found, _loss in judge_photos(opened.model, prompt_builder, photos, settings.question.kind):
            found = [_calibrated(row, opened, settings) for row in found]
            for row in found:
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")
            rows += found
            done += 1
            correct += sum(row["truth_class"] == row["predicted_class"] for row in found)
            reporter.emit(
                "progress",
                done=done,
                total=len(photos),
                unit="photos",
                correct=correct,
                judged=len(rows),
                elapsed_s=round(time.monotonic() - began, 3),
            )
            if reporter.stop_requested():
                break
    return rows, done


def run(settings: Settings, run_folder: Path, workspace: Workspace, reporter: Reporter) -> Results:
    """Judge a split, and write predictions.jsonl and results.json into the run's folder.

    A requested stop ends it after the photo at hand; what was judged so far is scored and marked `"complete": false`.
    What another run of the workspace has judged already, a training's validation among them, is taken over from there.

    Args:
        settings: The run's settings; `data.split` names the split.
        run_folder: The run's folder.
        workspace: Where vision features are kept, other runs lie, and the sample set.
        reporter: Takes the events, and says whether a stop was requested.

    Returns:
        What results.json holds.

    Raises:
        UserError: The photos or the model cannot be used.
    """
    dataset = read_data(settings, workspace, run_folder, reporter)
    photos = photos_of(dataset, settings)
    reporter.emit("stage", text="Loading the model")
    files = reuse.model_inputs(settings.model)
    opened = open_model(settings)
    prompt_builder = PromptBuilder(opened.loaded, settings, opened.taxonomy)
    seen = seen_in_training(opened, photos, reporter)
    _warn_of_other_tolerance(opened, settings, reporter)
    calibration.warn_without(opened.calibration, settings, reporter)
    # Files that changed while they were loaded: nobody knows what answers.
    inputs = None if files != reuse.model_inputs(settings.model) else _inputs(files, opened, photos, settings)
    began = time.monotonic()
    known = _known_rows(workspace, inputs) if inputs else None
    if known is None:
        feature_cache.prepare(
            prompt_builder, opened.loaded, opened.model, [(photos, [(False, 0)])], workspace, reporter
        )
        began = time.monotonic()
        rows, done = _judge(opened, prompt_builder, photos, run_folder, reporter)
    else:
        reporter.emit("stage", text=sentences.taken_over({"answers_from": known.source}))
        rows, done = [_calibrated(row, opened, settings) for row in known.rows], len(photos)
        write_lines(run_folder / PREDICTIONS, rows)
    if inputs and done == len(photos) and reuse.are_unchanged(dataset.root, photos, settings.data.grey_range):
        reuse.note(run_folder, PREDICTIONS, inputs)
    curves = opened.calibration.alarms if opened.calibration else {}
    results = score(
        rows,
        false_alarm_rate=settings.judging.false_alarm_rate,
        alarming=opened.taxonomy.alarming,
        curves_of=lambda row: curves.get(str(row["question"])),
    )
    if opened.calibration is not None:
        kind, correction = settings.question.kind, settings.judging.prior_correction
        results["calibration"] = opened.calibration.to_dict(kind, correction)
        if (unsure := unsure_summary(rows, opened.calibration, kind, correction)) is not None:
            results["unsure"] = unsure
    results["complete"] = done == len(photos)
    results["seconds"] = round(time.monotonic() - began, 3)
    results["model"] = opened.facts
    results["data"] = {
        "path": settings.data.path,
        "split": settings.data.split,
        "photos": done,
        "objects": len(rows),
        "fingerprint": dataset.fingerprint,
        "photos_trained_on": seen,
    }
    if notes := [problem.what for problem in dataset.problems if problem.kind == checks.TRAINING_SPLIT]:
        results["data"]["split_note"] = notes[0]
    if known is not None:
        results["answers_from"] = known.source
    results["prior"] = prior_scores(dataset.split("train"), photos[:done], opened.taxonomy)
    results["settings"] = schema.to_dict(settings)
    # Written before the reference points too: it is shown at once, and kept whatever ends them.
    write_json(run_folder / "results.json", results)
    if settings.judging.references:
        if results["complete"]:
            path, summary = str(run_folder / "results.json"), main_numbers(results)
            reporter.emit("result", path=path, summary=summary, follows="reference points")
        evaluated = EvaluatedSplit(opened, prompt_builder, dataset, photos[:done], rows, inputs)
        results["references"], results["reference_warnings"] = measure(evaluated, workspace, run_folder, reporter)
        write_json(run_folder / "results.json", results)
    return results

"""Judging a whole folder of photos whose truth nobody knows: answers, a table, drawn photos and a report."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core import settings as schema
from core.boxes import stored_px
from core.data.unlabelled import UnlabelledDataset, UnlabelledImage, read_unlabelled, require_judgeable
from core.engine import calibration
from core.engine.evaluation import limited
from core.engine.opened_model import OpenedModel, open_model
from core.engine.questions import ObjectQuery, PromptBuilder
from core.engine.scoring import TOGETHER, AnswerProbabilities, PhotoQueries, judge_each, read_answer
from core.errors import UserError
from core.metrics.calibration import Calibration
from core.records import PredictionRow
from core.report import document
from core.report.annotate import Annotator, annotated_name
from core.report.answers import rows_of
from core.report.spreadsheet import write_csv
from core.results import Results, UnsureSummary
from core.runs import store
from core.runs.events import Reporter
from core.runs.files import is_unchanged, write_json, writing
from core.runs.workspace import Workspace
from core.settings import Settings
from core.taxonomy import Taxonomy

DIGITS = 6  # of a probability: no small one becomes zero by rounding


@dataclass(frozen=True)
class BatchProgress:
    """How far an earlier start of the run got: the photos whose lines are kept, and their objects."""

    photos: int = 0
    objects: int = 0


def run(settings: Settings, run_folder: Path, workspace: Workspace, reporter: Reporter) -> Results:
    """Judge every box of the folder `data.path` and write what came of it into the run's folder.

    That is predictions.jsonl, predictions.csv, annotated/, results.json and report.html; nothing is written elsewhere.
    A requested stop ends it after the photo at hand with `"complete": false`; the same call goes on from there and ends
    with the same bytes.

    Args:
        settings: The run's settings.
        run_folder: The run's folder, empty or as an earlier start left it.
        workspace: Where the sample set lies that `data.path` may name.
        reporter: Takes the events, and says whether a stop was requested.

    Returns:
        What results.json holds.

    Raises:
        UserError: The folder of photos cannot be used, or has changed since the run began.
    """
    reporter.emit("stage", text="Reading the photos")
    # A run that began before may be older than the setting.
    whole_photo = settings.batch.whole_photo or (run_folder / "folder.json").is_file()
    boxes = read_unlabelled(settings.data, workspace.sample_data, whole_photo)
    _report(boxes, settings, reporter)
    images = limited(boxes.images, settings.data.limit)
    _require_same(run_folder / "folder.json", boxes.fingerprint)
    reporter.emit("stage", text="Loading the model")
    opened = open_model(settings)
    calibration.warn_without(opened.calibration, settings, reporter)
    seen = sum(image.digest in opened.trained_on for image in images)
    begun = kept(run_folder / "predictions.jsonl", images)
    began = time.monotonic()
    done = _judge(opened, settings, images, begun, run_folder, reporter)
    results = tally(run_folder / "predictions.jsonl", opened.taxonomy)
    results["complete"] = done == len(images)
    results["photos"] = done
    results["whole_photos"] = boxes.whole
    results["left_out"] = [str(problem) for problem in boxes.faults]
    results["seconds"] = round(time.monotonic() - began, 3)
    results["model"] = opened.facts
    results["data"] = {
        "path": settings.data.path,
        "format": boxes.format,
        "photos": done,
        "fingerprint": boxes.fingerprint,
        "photos_trained_on": seen,
        "objects": results["objects"],
    }
    results["settings"] = schema.to_dict(settings)
    if opened.calibration is not None:
        usual, unsure = reported_rule(opened.calibration, results, settings.judging.prior_correction)
        results["calibration"] = opened.calibration.to_dict(usual, settings.judging.prior_correction)
        results["unsure"] = unsure
    write_json(run_folder / "results.json", results)
    write_csv(run_folder / "predictions.jsonl", run_folder / "predictions.csv", opened.taxonomy)
    if results["complete"]:
        _finish(opened.taxonomy, settings, images, run_folder, reporter)
    return results


def reported_rule(calibration: Calibration, counted: Results, correction: str) -> tuple[str, UnsureSummary]:
    """Find the rules by which a batch's answers were called unsure.

    An object of unknown type is asked for its class, all others for their condition, and each kind of question has its
    own rule for a correction of the prior.

    Args:
        calibration: The model's calibration.
        counted: What `tally` found.
        correction: How the prior is corrected: a value of `judging.prior_correction`.

    Returns:
        The kind of question that was asked more often, and the results' `unsure`: its `threshold` and `max_error` are
        those of that kind, `thresholds` holds those of each kind that was asked.
    """
    counts = {"condition": counted["objects"] - counted["type_unknown"], "class": counted["type_unknown"]}
    usual = max(counts, key=lambda kind: int(counts[kind]))
    rules = {kind: calibration.rule(kind, correction) for kind in counts if counts[kind] or kind == usual}
    rule = rules[usual]
    unsure: UnsureSummary = counted.get("unsure", UnsureSummary()).copy()
    unsure["threshold"] = rule.threshold if rule else None
    unsure["max_error"] = rule.max_error if rule else None
    unsure["correction"] = correction
    unsure["thresholds"] = {kind: rule.threshold if rule else None for kind, rule in rules.items()}
    return usual, unsure


def _report(boxes: UnlabelledDataset, settings: Settings, reporter: Reporter) -> None:
    """Faults of labels refuse the folder unless the good rest shall be used; all else is reported in a line each."""
    require_judgeable(boxes, settings.data)
    for problem in boxes.faults:
        reporter.emit("warning", text=str(problem))
    bare = sum(problem.kind == "photo-without-label" for problem in boxes.problems)
    if bare:
        reporter.emit("warning", text=f"{bare} photos have no label file beside labelled ones, so they are left out.")
    if boxes.whole:
        text = "There are no boxes: each photo is judged whole, as one object of unknown type. That is coarse."
        reporter.emit("warning", text=text)
    for name, count in boxes.unknown_classes.items():
        text = f"{name!r} ({count} objects) names no object type, so type and condition are asked together."
        reporter.emit("warning", text=text)


def _require_same(note: Path, fingerprint: str) -> None:
    """The folder must be what it was when the run began."""
    if not is_unchanged(note, fingerprint):
        fix = "Start a new batch: answers about two states of a folder do not belong together."
        raise UserError("the photos or boxes have changed since this run began", str(note.parent), fix, "changed")


def kept(path: Path, images: Sequence[UnlabelledImage]) -> BatchProgress:
    """Cut a predictions file back to whole groups of photos that were judged together, and count what is left in it.

    Numbers may differ in their last digit with what is computed together. So that a run that goes on ends as an
    unbroken one does, a group is kept whole or judged again.

    Args:
        path: The predictions.jsonl of an earlier start; it need not exist.
        images: All photos of the run, in their order.
    """
    if not path.is_file():
        return BatchProgress()
    counts: Counter[str] = Counter()
    ends: dict[str, int] = {}
    for offset, row in rows_of(path):
        counts[row["image"]] += 1
        ends[row["image"]] = offset
    whole = 0
    while whole < len(images) and counts[images[whole].name] == len(images[whole].objects):
        whole += 1
    photos = whole if whole == len(images) else whole - whole % TOGETHER
    end = _line_end(path, ends[images[photos - 1].name]) if photos else 0
    with writing(path), path.open("r+b") as stream:
        stream.truncate(end)
    return BatchProgress(photos, sum(len(image.objects) for image in images[:photos]))


def _line_end(path: Path, offset: int) -> int:
    with path.open("rb") as stream:
        stream.seek(offset)
        return offset + len(stream.readline())


def _judge(
    opened: OpenedModel,
    settings: Settings,
    images: Sequence[UnlabelledImage],
    begun: BatchProgress,
    run_folder: Path,
    reporter: Reporter,
) -> int:
    """Judge what is left, photo by photo; returns how many photos are done in all."""
    prompt_builder = PromptBuilder(opened.loaded, settings, opened.taxonomy)
    annotator = Annotator(run_folder / "annotated", opened.taxonomy) if settings.batch.annotate else None
    began, done, objects = time.monotonic(), begun.photos, begun.objects
    if done < len(images):
        reporter.emit("stage", text=f"Judging {len(images) - done} photos")
    path = run_folder / "predictions.jsonl"
    try:
        with path.open("ab") as stream:
            for image, rows in answers(opened, prompt_builder, images[done:]):
                with writing(path):
                    stream.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())
                    stream.flush()
                if annotator is not None:
                    annotator.add(image.path, rows)
                done, objects = done + 1, objects + len(rows)
                reporter.emit(
                    "progress",
                    done=done,
                    total=len(images),
                    unit="photos",
                    correct=0,
                    judged=0,
                    objects=objects,
                    before=begun.photos,
                    elapsed_s=round(time.monotonic() - began, 3),
                )
                if reporter.stop_requested():
                    break
    finally:
        if annotator is not None:
            annotator.close()
    return done


def answers(
    opened: OpenedModel, prompt_builder: PromptBuilder, images: Sequence[UnlabelledImage]
) -> Iterator[tuple[UnlabelledImage, list[PredictionRow]]]:
    """Answer every box of each photo.

    Args:
        opened: The model, its taxonomy and its calibration.
        prompt_builder: Writes the questions for this model.
        images: The photos, in the order in which they are judged.

    Yields:
        Each photo with its rows (see `row_of`), photo by photo.
    """
    queries = [
        PhotoQueries(
            image.path,
            [obj.box_xyxy for obj in image.objects],
            [ObjectQuery(obj.box_xyxy, obj.object_type) for obj in image.objects],
        )
        for image in images
    ]
    correction = prompt_builder.settings.judging.prior_correction
    for image, found in zip(images, judge_each(opened.model, prompt_builder, queries), strict=True):
        yield image, [row_of(image, index, answer, opened, correction) for index, answer in enumerate(found)]


def row_of(
    image: UnlabelledImage, index: int, answer: AnswerProbabilities, opened: OpenedModel, correction: str
) -> PredictionRow:
    """Write a line of predictions.jsonl, with `calibrated` and `unsure` where the model has a calibration.

    `object_type` is None where it was not known; `predicted_type` is then the answered one.

    Args:
        image: The photo.
        index: The object's number on it, from 0.
        answer: The model's answer about that object.
        opened: The model that answered.
        correction: How the prior is corrected: a value of `judging.prior_correction`.
    """
    taxonomy = opened.taxonomy
    obj = image.objects[index]
    kind = "class" if obj.object_type is None else "condition"
    object_type, condition = read_answer(answer.best, obj.object_type, kind, taxonomy)
    row: PredictionRow = {
        "image": image.name,
        "object": index,
        "box_xyxy_px": stored_px(obj.box_xyxy, image.size_wh),
        "object_type": obj.object_type,
        "predicted": condition,
        "predicted_class": taxonomy.class_name(object_type, condition),
        "question": kind,
        "choices": len(answer.probabilities),
        "probabilities": {name: float(f"{p:.{DIGITS}g}") for name, p in answer.probabilities.items()},
    }
    row = calibration.calibrated_row(row, opened.calibration, correction, taxonomy)
    answered = next(
        kind for kind, condition in taxonomy.classes if taxonomy.class_name(kind, condition) == row["predicted_class"]
    )
    return {**row, "predicted_type": answered}


def tally(path: Path, taxonomy: Taxonomy) -> Results:
    """Count a predictions file: objects, by condition and by class, those of unknown type and the unsure ones.

    Args:
        path: A predictions.jsonl, read line by line.
        taxonomy: Names the conditions and classes, in their order.
    """
    classes: Counter[str] = Counter()
    conditions: Counter[str] = Counter()
    unknown = unsure = total = 0
    calibrated = False
    for _, row in rows_of(path):
        total += 1
        classes[row["predicted_class"]] += 1
        conditions[row["predicted"]] += 1
        unknown += row["object_type"] is None
        calibrated = calibrated or "unsure" in row
        unsure += bool(row.get("unsure"))
    found: Results = {
        "objects": total,
        "conditions": {name: conditions[name] for name in taxonomy.conditions},
        "classes": {name: classes[name] for name in taxonomy.class_names if classes[name]},
        "type_unknown": unknown,
    }
    if calibrated:
        found["unsure"] = {"count": unsure, "total": total}
    return found


def _finish(
    taxonomy: Taxonomy, settings: Settings, images: Sequence[UnlabelledImage], run_folder: Path, reporter: Reporter
) -> None:
    """Photos whose drawing was cut short, and the report."""
    if settings.batch.annotate:
        _draw_missing(images, run_folder, taxonomy)
    reporter.emit("stage", text="Writing the report")
    document.write(store.open_run(run_folder), run_folder / "report.html", settings.batch.pictures)


def _draw_missing(images: Sequence[UnlabelledImage], run_folder: Path, taxonomy: Taxonomy) -> None:
    folder = run_folder / "annotated"
    missing = {image.name: image for image in images if not (folder / annotated_name(image.name)).is_file()}
    if not missing:
        return
    rows: dict[str, list[PredictionRow]] = {}
    for _, row in rows_of(run_folder / "predictions.jsonl"):
        if row["image"] in missing:
            rows.setdefault(row["image"], []).append(row)
    annotator = Annotator(folder, taxonomy)
    try:
        for name, mine in rows.items():
            annotator.add(missing[name].path, mine)
    finally:
        annotator.close()

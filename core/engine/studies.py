"""Studies: many small trainings, one after the other.

Each has a workspace of its own inside the run's folder, is judged at once on photos that it neither learned from nor
was chosen by, and is then cleared away but for its answers.
"""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from core import settings as schema
from core.engine import evaluation
from core.engine.reference_points.rows import prior_rows
from core.engine.reference_points.run import warnings_about
from core.engine.training.checkpoints import latest_checkpoint
from core.engine.training.run import train
from core.engine.training.setup import require_launcher
from core.metrics.alarms import AlarmCurves
from core.metrics.flights import with_flights
from core.metrics.reference_points import PRIOR
from core.records import PredictionRow, TrainingInfo
from core.results import CellRecord, DataFacts, Results
from core.runs.events import Reporter, SilentReporter, append, event
from core.runs.files import (
    copy,
    read_json,
    read_lines,
    read_record,
    remove,
    write_json,
    write_lines,
    writing,
)
from core.runs.workspace import Nested, Workspace
from core.settings import Settings
from core.studies.ablation import ablation
from core.studies.crossval import FoldPredictions, cross_validation, pooled_references, pooled_rows
from core.studies.plan import StudyCell, StudyPlan, study_cells, to_dict
from core.taxonomy import load as load_taxonomy
from core.units import estimate

NAME = "cell"  # of the one model in a cell's workspace
REPORT_EVERY_S = 1.0


def run(settings: Settings, plan: StudyPlan, run_folder: Path, workspace: Workspace, reporter: Reporter) -> Results:
    """Train and judge every cell of a plan.

    Cells that are done are skipped, a half-finished one goes on from its last checkpoint: a study that was stopped, or
    broke off, ends as an unbroken one. results.json is brought up to date after every cell.

    Args:
        settings: The settings from which the cells differ.
        plan: The kind of study, with its seeds and variants or parts.
        run_folder: The run's folder, empty or as an earlier start left it.
        workspace: The workspace, of which the cells use the sample set and the feature cache.
        reporter: Takes the events, and says whether a stop was requested.

    Returns:
        What results.json holds.

    Raises:
        UserError: The photos are no longer those with which the study began, or cannot be used.
    """
    require_launcher("")
    study = _begin(settings, plan, run_folder, workspace, reporter)
    stopped = False
    for cell in study.cells:
        if study.record(cell) is None:
            stopped = reporter.stop_requested() or not study.train_and_judge(cell)
            if stopped:
                break
        study.clear(cell)
    return study.outcome(complete=not stopped)


def _begin(settings: Settings, plan: StudyPlan, run_folder: Path, workspace: Workspace, reporter: Reporter) -> StudyRun:
    """Read the photos once, which draws the sample set and reports what is wrong, and list the cells."""
    first = settings.data
    if plan.kind == "crossval" or first.folds:
        changes: dict[str, Any] = {"data.folds": plan.folds, "data.fold": 0, "data.split": "test"}
    else:
        changes = {"data.folds": 0, "data.fold": 0, "data.split": "train"}
    reading = schema.merge(settings, changes)
    dataset = evaluation.read_data(reading, workspace, _made(run_folder / "photos"), reporter)
    has_test = not first.folds and any(photo.objects for photo in dataset.split("test"))
    cells = study_cells(plan, settings.training.seed, has_test)
    return StudyRun(settings, plan, run_folder, workspace, reporter, cells)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@dataclass
class StudyRun:
    """A study at work. Everything that lasts is in the run's folder; this only walks through it."""

    settings: Settings
    plan: StudyPlan
    run_folder: Path
    workspace: Workspace
    reporter: Reporter
    cells: tuple[StudyCell, ...]
    warned: set[str] = field(default_factory=set)

    @property
    def silent(self) -> SilentReporter:
        """A reporter for reading photos whose problems were reported when the study began."""
        return SilentReporter(self.reporter.stop_requested)

    def folder(self, cell: StudyCell) -> Path:
        """The folder of a cell's answers, scores and workspace."""
        return self.run_folder / "cells" / cell.name

    def record(self, cell: StudyCell) -> CellRecord | None:
        """What is kept of a finished cell, None for any other; it is the last that a cell writes."""
        return read_record(self.folder(cell) / "cell.json", CellRecord)

    def records(self) -> dict[StudyCell, CellRecord]:
        """What is kept of all finished cells, in the order of the plan."""
        return {cell: found for cell in self.cells if (found := self.record(cell)) is not None}

    def inner(self, cell: StudyCell) -> Workspace:
        """The workspace in which a cell trains."""
        return Nested(self.folder(cell), self.workspace)

    def clear(self, cell: StudyCell) -> None:
        """Remove a finished cell's models, unless the plan keeps them: they take much disk, and its answers remain."""
        if not self.plan.keep:
            with contextlib.suppress(OSError):  # what cannot be removed now is when the study goes on
                remove(self.inner(cell).models)

    def train_and_judge(self, cell: StudyCell) -> bool:
        """Train one cell and judge it; False when it was stopped."""
        folder = _made(self.folder(cell) / "train").parent
        settings = schema.merge(self.settings, cell.changes)
        watch = CellReporter(self, cell, folder / "train" / "events.jsonl")
        watch.report_stage()
        self._place_split(cell, settings)
        info = self._training_info(cell, settings, watch)
        if info["stopped"]:
            return False
        began = time.monotonic()
        judging = schema.merge(settings, {"model.path": str(self.inner(cell).final(NAME))})
        results = evaluation.run(judging, folder, self.inner(cell), watch)
        # A stop ends the reference points too, whose share would be missing from the pool: judged anew when it goes on.
        if not results["complete"] or (settings.judging.references and watch.stop_requested()):
            return False
        if self.plan.kind == "crossval" and not settings.judging.references:
            self._keep_prior(cell, settings)
        self._keep(cell, info, results, info["seconds"] + time.monotonic() - began)
        gc.collect()  # a model and its optimizer hold each other: gone before the next ones are made
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        watch.report(0.0)
        self.outcome(complete=False)
        return True

    def _place_split(self, cell: StudyCell, settings: Settings) -> None:
        """Put the split in place before the cell looks for one.

        It is dealt by the study's seed, whatever the cell's own: so the parts of different seeds never overlap, and
        seeds differ in the training alone.
        """
        kept = self.run_folder / "photos" / ("test" if cell.fold is None else f"part-{cell.fold}")
        if not (kept / "split.json").is_file():
            seeded = schema.merge(settings, {"training.seed": self.settings.training.seed})
            evaluation.read_data(seeded, self.workspace, _made(kept), self.silent)
        for target in (self.folder(cell), self.folder(cell) / "train"):
            copy(kept / "split.json", target / "split.json")

    def _training_info(self, cell: StudyCell, settings: Settings, watch: CellReporter) -> TrainingInfo:
        """Train the cell, go on with its training, or take what a training left before the judging broke off."""
        folder, inner = self.folder(cell), self.inner(cell)
        before = read_record(folder / "training.json", TrainingInfo)
        if before is not None and inner.final(NAME).is_dir():
            return before
        # Without a whole checkpoint, or with a final model but no word about it, there is nothing to go on from.
        start = latest_checkpoint(inner.checkpoints(NAME))
        if start is None or inner.final(NAME).exists():
            with writing(inner.models):
                remove(inner.models)
            start = None
        with watch.timed():
            info = train(settings, NAME, folder / "train", inner, watch, resume=start is not None)
        if not info["stopped"]:
            write_json(folder / "training.json", info)
        return info

    def _keep(self, cell: StudyCell, info: TrainingInfo, results: Results, seconds: float) -> None:
        best = info.get("best") or {}
        record: CellRecord = {
            "variant": cell.variant,
            "seed": cell.seed,
            "fold": cell.fold,
            "changes": dict(cell.changes),
            "seconds": round(seconds, 3),
            "steps": info["steps"],
            "best_step": best.get("step"),
            "valid_macro_f1": best.get("macro_f1"),
            "accuracy": results["overall_accuracy"],
            "macro_f1": results["macro_f1"],
            "correct": results["correct"],
            "total": results["total"],
            "photos": results["data"]["photos"],
            "fingerprint": results["data"]["fingerprint"],
        }
        write_json(self.folder(cell) / "cell.json", record)

    def _keep_prior(self, cell: StudyCell, settings: Settings) -> None:
        """Keep the least that the cell must beat, where no reference points were requested."""
        dataset = evaluation.read_data(settings, self.workspace, self.folder(cell), self.silent)
        taxonomy = load_taxonomy(settings.data.taxonomy)
        guessed = prior_rows(dataset.split("train"), evaluation.photos_of(dataset, settings), taxonomy)
        write_lines(self.folder(cell) / "references" / f"{PRIOR}.jsonl", guessed)

    def rows(self, cell: StudyCell) -> list[PredictionRow]:
        """A cell's answers; those from before answers held their flight get it from the photo's name."""
        return with_flights(read_lines(self.folder(cell) / "predictions.jsonl"), self.settings.data.group_rule)

    def outcome(self, complete: bool) -> Results:
        """Sum up all finished cells so far, and write that as the run's results.json."""
        records = self.records()
        data: DataFacts = {"path": self.settings.data.path}
        if (kept := read_json(self.run_folder / "photos" / "photos.json")) is not None:
            data["fingerprint"] = kept["fingerprint"]
        found: Results = {
            "kind": self.plan.kind,
            "complete": complete,
            "stopped": not complete,
            "plan": to_dict(self.plan),
            "cells_done": len(records),
            "cells_total": len(self.cells),
            "cells": list(records.values()),
            "seconds": round(sum(record["seconds"] for record in records.values()), 3),
            "model": {"path": self.settings.model.path},
            "data": data,
            "settings": schema.to_dict(self.settings),
        }
        if records:
            found |= self._ablation(records) if self.plan.kind == "ablate" else self._crossval(records)
        write_json(self.run_folder / "results.json", found)
        return found

    def _ablation(self, records: Mapping[StudyCell, CellRecord]) -> Results:
        rows: dict[str, dict[int, Sequence[PredictionRow]]] = {variant: {} for variant in self.plan.variants}
        for cell in records:
            rows[cell.variant][cell.seed] = self.rows(cell)
        steps: dict[str, list[int]] = {}
        for cell, record in records.items():
            steps.setdefault(cell.variant, []).append(record["steps"])
        found = [read_record(self.folder(cell) / "results.json", Results) or Results() for cell in records]
        guesses = [prior["accuracy"] for results in found if (prior := results.get("prior"))]
        return ablation(
            rows,
            steps={variant: round(fmean(taken)) for variant, taken in steps.items()},
            guess=fmean(guesses) if guesses else None,
        )

    def _crossval(self, records: Mapping[StudyCell, CellRecord]) -> Results:
        """Scores of the pooled answers, which are written as the run's predictions."""
        results = {cell: read_record(self.folder(cell) / "results.json", Results) or Results() for cell in records}
        parts = [
            FoldPredictions(
                cell.fold or 0, cell.seed, self.rows(cell), self._references(cell, found), self._curves(found)
            )
            for cell, found in results.items()
        ]
        pooled = pooled_rows(parts)
        write_lines(self.run_folder / "predictions.jsonl", pooled)
        notes = {
            name: reference.get("note", "")
            for found in results.values()
            for name, reference in (found.get("references") or {}).items()
        }
        alarming = load_taxonomy(self.settings.data.taxonomy).alarming
        found = cross_validation(parts, notes, self.settings.judging.false_alarm_rate, alarming)
        found["reference_warnings"] = warnings_about(pooled, pooled_references(parts))
        return found

    def _references(self, cell: StudyCell, results: Results) -> dict[str, list[PredictionRow]]:
        """The answers of whatever reference points were measured, in the order of the results that name them."""
        named = list(results.get("references") or [PRIOR])
        kept = {name: read_lines(self.folder(cell) / "references" / f"{name}.jsonl") for name in named}
        return {name: with_flights(rows, self.settings.data.group_rule) for name, rows in kept.items() if rows}

    def _curves(self, results: Results) -> AlarmCurves | None:
        """The alarm curves of the model that a cell trained; None where it was not calibrated."""
        kinds: Mapping[str, AlarmCurves] = (results.get("calibration") or {}).get("alarms") or {}
        return kinds.get(self.settings.question.kind)


@dataclass
class CellReporter:
    """Writes a cell's own log, and reports how far the study is: cells done, share of this one, time left.

    Attributes:
        study: The study that the cell is part of.
        cell: The cell at work.
        log: Its events.jsonl.
        share: How much of its training is done, in 0..1.
        began: When it began, on the monotonic clock.
        reported_at: When progress was last reported, on the same clock.
    """

    study: StudyRun
    cell: StudyCell
    log: Path
    share: float = 0.0
    began: float = field(default_factory=time.monotonic)
    reported_at: float = 0.0

    def emit(self, kind: str, **fields: Any) -> None:
        """Write an event into the cell's log; steps and new warnings are passed on to the study."""
        append(self.log, event(kind, **fields))
        if kind == "step":
            self.share = fields["step"] / max(fields["total_steps"], 1)
            if time.monotonic() - self.reported_at >= REPORT_EVERY_S:
                self.report(self.share)
        elif kind == "warning" and fields["text"] not in self.study.warned:
            self.study.warned.add(fields["text"])
            self.study.reporter.emit("warning", text=fields["text"])

    def stop_requested(self) -> bool:
        """Whether the study was asked to stop."""
        return self.study.reporter.stop_requested()

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        """Log how long the training inside took even if it does not get to its end, for when it goes on."""
        began = time.monotonic()
        try:
            yield
        finally:
            seconds = round(time.monotonic() - began, 3)
            append(self.log, event("ended", how="over", error="", problems=[], seconds=seconds))

    def report_stage(self) -> None:
        """Report which cell begins, and about how long the study will still take."""
        records, total = self.study.records(), len(self.study.cells)
        left = self.left(records)
        about_left = f" ({estimate(left)} left)" if left is not None else ""
        number = self.study.cells.index(self.cell) + 1
        self.study.reporter.emit("stage", text=f"{number} of {total}: {self.cell.label}{about_left}")
        self.report(0.0)

    def report(self, share: float) -> None:
        """Report how far the study is, with this cell's training done to `share` (0..1)."""
        records = self.study.records()
        self.reported_at = now = time.monotonic()
        spent = sum(record["seconds"] for record in records.values())
        running = 0.0 if self.cell in records else now - self.began
        self.study.reporter.emit(
            "progress",
            done=len(records),
            total=len(self.study.cells),
            unit="trainings",
            correct=0,
            judged=0,
            elapsed_s=round(spent + running, 3),
            part=round(share, 4),
            left_s=self.left(records),
        )

    def left(self, records: Mapping[StudyCell, CellRecord]) -> float | None:
        """Estimate the seconds to the end: by the finished cells, or by this one's own pace before there are any."""
        running = time.monotonic() - self.began
        unfinished = len(self.study.cells) - len(records)
        if records:
            each = sum(record["seconds"] for record in records.values()) / len(records)
        elif self.share > 0:
            each = running / self.share
        else:
            return None
        part = self.share if self.cell not in records else 0.0
        return round(max(unfinished - part, 0.0) * each, 1)

"""A run's events as progress bars on a terminal: what the command line shows while it works."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO, cast

from core import units
from core.metrics import verdict
from core.metrics.flights import NO_INTERVAL
from core.records import (
    DryRunDone,
    DryRunMeasured,
    Ended,
    Evaluated,
    Event,
    Planned,
    Progressed,
    Resulted,
    Stage,
    Stepped,
    Warned,
)
from core.results import Results
from core.units import estimate, percent


@dataclass
class ProgressBars:
    """A listener for a run's events. Draws on `out` (stderr): stdout belongs to results.

    Without a terminal (a log file, a test) bars are left out and only the sentences are written.
    """

    out: TextIO = field(default_factory=lambda: sys.stderr)
    bar: Any = None
    title: str = ""
    epochs: float = 0.0
    reported_tenths: int = 0
    reported_done: int = 0

    def __call__(self, event: Event) -> None:
        show = getattr(self, f"on_{event['kind']}", None)
        if show is not None:
            show(event)

    def say(self, text: str) -> None:
        if self.bar is not None and not self.bar.disable:
            self.bar.write(text, file=self.out)
        else:
            print(text, file=self.out, flush=True)

    def on_stage(self, event: Stage) -> None:
        self.say(f"{event['text']} …")

    def on_warning(self, event: Warned) -> None:
        self.say(f"Note: {event['text']}")

    def on_progress(self, event: Progressed) -> None:
        unit = event.get("unit", "photos")
        if "part" in event:  # a study: what goes on inside its trainings moves nothing here
            self._show("Trainings", event["total"], unit)
            left = event.get("left_s")
            if self.bar.disable and event["done"] == self.reported_done:
                return
            self.reported_done = event["done"]
            self._move(event["done"], event["total"], "" if left is None else f"{estimate(left)} left")
            return
        doing = "Judging" if "objects" in event else "Testing on"
        self._show(f"{doing} {event['total']} {'images' if unit == 'photos' else unit}", event["total"], unit)
        right = f"{percent(event['correct'] / event['judged'])} right" if event.get("judged") else ""
        self._move(event["done"], event["total"], right or f"{event.get('objects', 0)} objects")

    def on_plan(self, event: Planned) -> None:
        self.epochs = float(event.get("epochs") or 0)
        self.say(f"Training on {event['photos']} photos with {event['objects']} objects: {event['total_steps']} steps")

    def on_rehearsal(self, event: DryRunDone) -> None:
        memory = f"{event['peak_memory_mb'] / 1000:.1f} of {event['memory_free_mb'] / 1000:.1f} GB of memory"
        self.say(f"Two steps tried: {memory}, about {estimate(event['total_s'])} in all")

    def on_step(self, event: Stepped) -> None:
        loss = event.get("loss")
        epoch = max(1, math.ceil(event.get("epoch") or 0))
        self._show(f"Epoch {epoch}/{math.ceil(self.epochs) or '?'}", event["total_steps"], "steps")
        self._move(event["step"], event["total_steps"], "" if loss is None else f"loss {loss:.3g}")

    def on_evaluation(self, event: Evaluated) -> None:
        parts = [f"{percent(event['accuracy'])} right"] if event.get("accuracy") is not None else []
        scores = (("macro-F1", event.get("macro_f1")), ("loss", event.get("loss")))
        parts += [f"{name} {value:.3f}" for name, value in scores if value is not None]
        self.say(f"Validation at step {event['step']}: {', '.join(parts)}")

    def on_result(self, event: Resulted) -> None:
        if "follows" in event:  # the last results are printed when the run is over
            self.say(f"{accuracy_line(cast(Results, event['summary']))}; {event['follows']} follow")

    def on_ended(self, event: Ended) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def _show(self, title: str, total: int, unit: str) -> None:
        if self.bar is None:
            from tqdm import tqdm

            self.bar = tqdm(total=total, unit=f" {unit}", file=self.out, disable=not self.out.isatty())
        if title != self.title:
            self.title = title
            self.bar.set_description_str(title, refresh=False)

    def _move(self, done: int, total: int, text: str) -> None:
        self.bar.set_postfix_str(text, refresh=False)
        self.bar.update(done - self.bar.n)
        tenths = 10 * done // max(total, 1)
        if self.bar.disable and (tenths > self.reported_tenths or done == 1):
            self.reported_tenths = tenths
            self.say(f"{self.title}  {done}/{total}" + (f" … {text}" if text else ""))


def dry_run_lines(found: DryRunMeasured) -> list[str]:
    """What two tried steps measured of a training, a line each."""
    kept = f"{units.megabytes(found['checkpoint_mb'])} for checkpoints"
    kept += f" and {units.megabytes(found['cache_mb'])} for vision features" if found.get("cache_mb") else ""
    lines = [
        f"Memory    {units.megabytes(found['peak_memory_mb'])} of {units.megabytes(found['memory_free_mb'])}"
        + (", with gradient checkpointing" if found.get("gradient_checkpointing") else ""),
        f"A step    {units.seconds(found['usual_step_s'])}, the largest {units.seconds(found['step_s'])}",
        f"In all    about {estimate(found['total_s'])} for {found['steps']} steps and their tests",
        f"Disk      {kept}; {units.megabytes(found['disk_free_mb'])} free",
    ]
    if found.get("flops_per_s"):
        share = f"{percent(found['peak_share'], 0)} of what this device can do at most"
        lines.append(f"Speed     {units.operations(found['flops_per_s'])}, {share}")
    return lines


def batch_lines(found: Results, files: Mapping[str, Any]) -> list[str]:
    """What a judged folder came to, and where it lies."""
    counts = ", ".join(f"{number:,} {name}" for name, number in found["conditions"].items())
    unsure = found.get("unsure")
    unsure_words = f", unsure of {unsure['count']:,} of them" if unsure else ""
    lines = [f"Judged {found['objects']:,} objects on {found['photos']:,} photos: {counts}{unsure_words}"]
    if found.get("left_out"):
        lines.append(f"Left out: {len(found['left_out'])} damaged photos or labels (see the notes above)")
    return lines + [f"{name.capitalize():<12}{path}" for name, path in files.items()]


def score_lines(results: Results) -> list[str]:
    """The score, and what it proves: the same verdict as on the page and in the report."""
    return [accuracy_line(results), str(verdict.of_score(results))]


def accuracy_line(results: Results) -> str:
    """`Overall accuracy  71.2 % (148/208), 95 % interval 64.9 to 77.0 %, macro-F1 0.612`."""
    line = f"Overall accuracy  {percent(results['overall_accuracy'])} ({results['correct']}/{results['total']})"
    if interval := results.get("accuracy_interval"):
        line += f", 95 % interval {units.interval(interval, ' to ')}"
    elif "accuracy_interval" in results:
        line += f", {NO_INTERVAL}"
    if results.get("macro_f1") is not None:
        line += f", macro-F1 {results['macro_f1']:.3f}"
    return line

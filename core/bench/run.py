"""`damgui bench`: what is measured when, and what is written."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from itertools import chain
from pathlib import Path
from typing import Any

import psutil

from core.bench import plans
from core.bench.measure import Job, Timing, compared, measure_jobs, started, summary, take_turns, warm_up
from core.bench.plans import Maker, VariantGroup
from core.data.dataset import read_dataset
from core.demo.sample_set import draw_sample
from core.errors import UserError
from core.runs.files import write_json
from core.runs.workspace import Workspace
from core.settings import DataSettings
from core.taxonomy import load as load_taxonomy

QUICK_S = 280.0
LIBRARIES = ("torch", "transformers", "peft", "trl", "accelerate", "bitsandbytes")
ALL = ("training", "evaluation", "growth", "shape")
# What must be known to read the numbers, and the sections that it is about.
NOTES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Rates are questions (evaluation: objects) per second over whole steps, data included, after warm-up; ratios "
        "are taken turn by turn; all are given as median (least–greatest).",
        ALL,
    ),
    (
        "Every variant has a process of its own: peak is the most memory it ever held, above is what its steps added "
        "to the process with the model loaded.",
        ALL,
    ),
    (
        "Every variant opens its photos anew at every step, as with more photos than memory. Objects whose type has "
        "one allowed condition are left out: nothing is asked about them.",
        ("training", "evaluation"),
    ),
    (
        "damgui's answers are closed (a choice among the allowed ones); the plain trainer computes whole logits.",
        ("training", "evaluation"),
    ),
    (
        "With two layers the output layer is most of a 2B-shaped model's work per token, so variants that compute it "
        "whole look slower there than at full depth.",
        ("training",),
    ),
    ("More photos than the sample set has are copies of its photos with other digests.", ("growth",)),
    (
        "The share of peak counts 4 operations per language weight and token and 2 per vision weight and patch; "
        "attention and LoRA come on top.",
        ("shape",),
    ),
)


@dataclass
class Bench:
    """One bench.

    Attributes:
        make: makes the jobs.
        logs: a folder for the processes' output.
        began: when it began, by `time.monotonic`.
        planned_s: the sum of the estimates of all groups so far.
    """

    make: Maker
    logs: Path
    began: float
    planned_s: float = 0.0

    def has_time(self, group: VariantGroup) -> bool:
        """Whether a group fits into the time of --quick, on a machine as slow as it has been so far."""
        used = time.monotonic() - self.began
        slowness = max(used / self.planned_s, 1.0) if self.planned_s else 1.0
        return not self.make.quick or used + group.need_s * slowness < QUICK_S

    def measure(self, group: VariantGroup) -> dict[str, Any]:
        """A group's part of the document.

        Raises:
            UserError: its variants do not compute the same, or a process ended early.
        """
        self.planned_s += group.need_s
        row: dict[str, Any] = {"section": group.section, "title": group.title, "base": group.base}
        if group.check is not None:
            found = measure_jobs({"check": group.check}, Timing(rounds=0, warm=1), self.logs)
            row["check"] = found["check"]["ready"]
        if group.plain:
            rows = self._with_best_plain(group)
        else:
            units = ("questions", "photos", "tokens") if group.section == "shape" else ("questions",)
            found = measure_jobs(group.jobs, group.timing, self.logs)
            rows = {name: summary(samples, units) for name, samples in found.items()}
        row["variants"] = rows
        row["ratios"] = compared(rows, group.base) if group.base in rows else {}
        return row

    def _with_best_plain(self, group: VariantGroup) -> dict[str, dict[str, Any]]:
        """The group's variants beside the plain trainer at its best batch size; TRL gets that size too."""
        some = next(iter(group.jobs.values()))
        batches = [size for size in group.plain if size == group.plain[0] or fits(some, size)]
        names = [f"plain {size}" for size in batches]
        tries = self.make.variants(some, names, f"{Path(some.workspace).name}-plain")
        jobs = {name: _batched(job, size) for (name, job), size in zip(tries.items(), batches, strict=True)}
        timing = group.timing
        with started(jobs, self.logs) as workers:
            rates: dict[str, float] = {}
            for name, worker in workers.items():
                warm_up(worker, timing)
                if len(workers) > 1:
                    reading = worker.request(seconds=min(timing.seconds, 3.0), steps=1)
                    rates[name] = reading["questions"] / reading["seconds"]
            best = max(rates, key=lambda name: rates[name]) if rates else names[0]
            for name in set(names) - {best}:
                workers.pop(name).close()
            size = batches[names.index(best)]
            others = {name: _batched(job, size, name) for name, job in group.jobs.items()}
            with started(others, self.logs) as fellows:
                found = take_turns({"plain": workers[best], **fellows}, timing)
        rows = {name: summary(samples) for name, samples in found.items()}
        rows["plain"] |= {"batch": size, "tried": {name: round(rate, 3) for name, rate in rates.items()}}
        return rows


def _batched(job: Job, size: int, variant: str = "plain") -> Job:
    return Job(**{**job.__dict__, "variant": variant, "batch": size})


def fits(job: Job, batch: int) -> bool:
    """Whether whole logits, four times over (softmax and gradients), fit into half of the free memory.

    Args:
        job: decides the size of the vocabulary.
        batch: questions in a batch.
    """
    vocabulary = 151_936 if job.model in plans.SHAPE_NAMES else 640
    return bool(700 * batch * vocabulary * 4 * 4 < psutil.virtual_memory().available / 2)


def groups_of(sections: list[str], make: Maker, shape: tuple[str, int, str]) -> Iterator[VariantGroup]:
    """The groups of all sections; where time is short the most important come first.

    Args:
        sections: their names.
        make: makes the jobs.
        shape: (name, layers, device) of the section "shape".
    """
    known = {"training": plans.training, "evaluation": plans.evaluation, "growth": plans.growth}
    groups = chain.from_iterable(
        [plans.shape(make, *shape)] if section == "shape" else known[section](make) for section in sections
    )
    return iter(sorted(groups, key=lambda group: group.rank)) if make.quick else groups


def require_cuda() -> None:
    """Refuse a machine without a CUDA device. Another process finds out, because this one does without torch.

    Raises:
        UserError: there is none.
    """
    code = "import torch; print(torch.cuda.is_available())"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if answer.stdout.strip() != "True":
        raise UserError(
            "not measured: no CUDA device; a processor's speed tells nothing of a GPU's",
            "--shape",
            "Run it on a machine with a CUDA GPU, or try the code alone with --device cpu --layers 1.",
            "device",
        )


def free_name(folder: Path) -> Path:
    """bench.json in a folder, or bench-2.json … where there is one already."""
    file, number = folder / "bench.json", 2
    while file.exists():
        file, number = folder / f"bench-{number}.json", number + 1
    return file


def machine() -> dict[str, Any]:
    """What the bench ran on, as plain values: system, processors, memory, load, versions of libraries."""
    versions: dict[str, str | None] = {}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "load": _load(),
        "versions": versions,
    }


def _load() -> list[float] | None:
    return [round(load, 2) for load in os.getloadavg()] if hasattr(os, "getloadavg") else None


def with_share(group: dict[str, Any]) -> dict[str, Any]:
    """A shape's rows with the share of the device's best arithmetic that training needs at least."""
    best = max((row["best_flops"] for row in group["variants"].values() if "best_flops" in row), default=0.0)
    for name, row in group["variants"].items():
        if "weights" in row:
            row["best_flops"] = best
            seen = 0.0 if name.endswith("cached") else row["photos_per_s"]["median"] * row["photo_tokens"] * 4
            needed = (
                4 * row["weights"]["language"] * row["tokens_per_s"]["median"] + 2 * row["weights"]["vision"] * seen
            )
            row["share_of_peak"] = needed / row["best_flops"]
    return group


def whole_depth(groups: list[dict[str, Any]], layers: int = 28) -> dict[str, float]:
    """The 2B-shaped ratios at full depth, if every layer costs the same: a line through two depths.

    Args:
        groups: of the document.
        layers: at full depth.

    Returns:
        {variant: times as fast as plain}; empty where the deeper model was not measured, or came out as the faster one:
        the machine was busy then.
    """
    trained = [group for group in groups if group["section"] == "training"]
    few, more = (
        next((group for group in trained if group["title"].startswith(f"2B-shaped ({number} ")), None)
        for number in (2, plans.DEEPER)
    )
    if few is None or more is None:
        return {}
    at_full_depth: dict[str, float] = {}
    for name in ("plain", "packed", "cached"):
        two, deeper = (1 / group["variants"][name]["questions_per_s"]["median"] for group in (few, more))
        if deeper <= two:
            return {}
        at_full_depth[name] = two + (deeper - two) / (plans.DEEPER - 2) * (layers - 2)
    return {name: at_full_depth["plain"] / at_full_depth[name] for name in ("packed", "cached")}


def bench(
    workspace: Workspace, sections: list[str], shape: tuple[str, int, str], quick: bool, progress: Callable[[str], None]
) -> dict[str, Any]:
    """Measure the sections.

    Args:
        workspace: takes the processes' output.
        sections: their names.
        shape: (name, layers, device) of the section "shape".
        quick: whether to end within five minutes.
        progress: called with a line of text before each group.

    Returns:
        The document, as plain values.
    """
    progress("Reading the sample photos …")
    began = time.monotonic()
    dataset = read_dataset(DataSettings(), draw_sample(workspace.sample_data))
    photos = plans.with_choice(dataset.split("train"), load_taxonomy())
    document: dict[str, Any] = {"quick": quick, "machine": machine(), "groups": []}
    document["notes"] = [note for note, about in NOTES if set(about) & set(sections)]
    with tempfile.TemporaryDirectory(prefix="damgui-bench-") as scratch:
        make = Maker(photos, Path(scratch), quick)
        runner = Bench(make, workspace.experiments / "bench-logs", began)
        for group in groups_of(sections, make, shape):
            if not runner.has_time(group):
                document["notes"].append(f"Left out, --quick ends within five minutes: {group.section}, {group.title}.")
                continue
            progress(f"{time.monotonic() - began:5.0f} s  {group.section}: {group.title} …")
            found = runner.measure(group)
            document["groups"].append(with_share(found) if group.section == "shape" else found)
    full_depth_ratios = whole_depth(document["groups"])
    if full_depth_ratios:
        document["whole_depth"] = full_depth_ratios
        listed = ", ".join(f"{name} {ratio:.1f} times plain" for name, ratio in full_depth_ratios.items())
        document["notes"].append(
            f"2B-shaped, extrapolated from 2 and {plans.DEEPER} to 28 layers each: about {listed}."
        )
    document["seconds"] = round(time.monotonic() - began, 1)
    return document


def run_bench(workspace: Workspace, only: str, shape: tuple[str, int, str], quick: bool) -> tuple[dict[str, Any], Path]:
    """Run the bench and keep its document beside older ones.

    Args:
        workspace: takes document and output.
        only: the sections, separated by commas.
        shape: (name, layers, device); a name of "" for none.
        quick: whether to end within five minutes.

    Returns:
        The document and its file.

    Raises:
        UserError: what is requested is not known, or cannot be measured here.
    """
    sections = plans.chosen_sections(only, shape[0])
    if shape[1] < 0 or (shape[2] == "cpu" and shape[0] and not shape[1]):
        what = "on a processor a shape needs a number of layers"
        raise UserError(what, "--layers", "Add --layers 1.", "shape")
    if "shape" in sections and shape[2] == "cuda":
        require_cuda()
    if shutil.disk_usage(workspace.root).free < 2e9:
        raise UserError("the bench needs 2 GB of disk", str(workspace.root), "Make room.", "disk")
    document = bench(workspace, sections, shape, quick, lambda text: print(text, file=sys.stderr, flush=True))
    file = free_name(workspace.experiments)
    write_json(file, document)
    return document, file

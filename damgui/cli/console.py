"""Runs on the command line: begun in this process, shown as bars, summed up in a few lines."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from core.errors import Problem, UserError
from core.records import DryRunMeasured, TrainingInfo
from core.report import outputs
from core.results import Results
from core.runs import launcher, store, worker
from core.runs.events import last_event
from core.runs.files import read_json, read_record, write_text
from core.runs.store import Run
from core.runs.workspace import Workspace
from core.settings import Settings, to_flat
from core.units import percent
from damgui.cli.progress import ProgressBars, batch_lines, dry_run_lines, score_lines

# The other processes of one `accelerate launch` look this long for the run that the first one makes.
MEET_S = 120.0


def do(args: argparse.Namespace, settings_of: Callable[[argparse.Namespace], Settings]) -> tuple[Run | None, int]:
    """Make (or find again) the run that `args` asks for and work on it here: (run, exit code).

    The run is None in the silent processes of a training on several GPUs. Raises UserError before anything starts when
    the run is refused.
    """
    workspace = store.open_workspace(args.workspace)
    dry = getattr(args, "dry_run", False)
    if dry:
        _require_dry(args)
    if args.verb in store.STUDIES and int(os.environ.get("WORLD_SIZE") or 1) > 1:
        raise UserError("several processes cannot share a study", args.verb, "Start one alone.", "command")
    if worker.rank() > 0:
        return None, worker.work(_meet(workspace))
    launcher.require_free(workspace)
    run = _resumed(workspace, args, settings_of) if getattr(args, "resume", False) else None
    if run is None:
        settings = settings_of(args)
        kind = "rehearse" if dry else args.verb
        name = (args.name or store.free_name(workspace, settings.model.path)) if kind == "train" else ""
        # Before the checks too: they may import a library that reads on import whether it may use the network.
        worker.prepare_environment(settings)
        run = launcher.create(workspace, settings, kind, name, _plan(args, settings))
    else:
        worker.prepare_environment(run.settings())
        launcher.prepare_resume(run)
    with _announced(run):
        code = worker.work(run.folder, ProgressBars())
    for problem in outcome(run).get("errors", []):
        print(f"damgui: {Problem(**problem)}", file=sys.stderr)
    if run.kind in store.RESUMING and code != 2 and store.status(run) == "stopped":
        named = f" --name {run.name}" if run.name else ""
        print(f"Stopped. Go on with: damgui {run.kind} --resume{named}", file=sys.stderr)
    return run, code


def _plan(args: argparse.Namespace, settings: Settings) -> dict[str, Any] | None:
    """Which trainings a study shall consist of; None for other commands."""
    from core.studies import plan as studies

    if args.verb == "ablate":
        seeds = studies.SEEDS["ablate"] if args.seeds is None else args.seeds
        return studies.to_dict(studies.plan_ablation(args.only.split(","), seeds, settings, args.keep))
    if args.verb == "crossval":
        seeds = studies.SEEDS["crossval"] if args.seeds is None else args.seeds
        return studies.to_dict(studies.plan_crossval(args.folds, seeds, settings, args.keep))
    return None


def _require_dry(args: argparse.Namespace) -> None:
    """Raises UserError for what cannot go with --dry-run."""
    if args.resume:
        fix = "Leave out --resume: a run that goes on is tried again by itself."
        raise UserError("a dry run begins nothing to go on with", "--dry-run", fix, "command")
    if int(os.environ.get("WORLD_SIZE") or 1) > 1:
        raise UserError("several processes cannot try two steps", "--dry-run", "Start one alone.", "command")


def _resumed(
    workspace: Workspace, args: argparse.Namespace, settings_of: Callable[[argparse.Namespace], Settings]
) -> Run:
    """The training or study to go on with. Raises UserError when there is none, or when settings were changed."""
    name = getattr(args, "name", None) or ""
    run = store.latest(workspace, args.verb, name)
    if run is None:
        fix, kind = "Leave out --resume to start it.", "training" if args.verb == "train" else args.verb
        raise UserError(f"there is no {kind} run to go on with", name or str(workspace.root), fix, "run")
    given = vars(args)
    if args.verb in store.STUDIES and (args.seeds is not None or given.get("only") or given.get("folds")):
        fix = "Leave out --only, --seeds and --folds, or start another study."
        raise UserError("a resumed study keeps its trainings", run.id, fix, "setting")
    if args.model or args.data or args.strict or args.config or args.set:
        wanted = to_flat(store.with_absolute_paths(settings_of(args), Path.cwd(), workspace.root))
        was = to_flat(run.settings())
        changed = [f"{key} was {was[key]} and is now {wanted[key]}" for key in was if was[key] != wanted[key]]
        if changed:
            fix = "Resume with the old settings (leave out --set and --config), or start anew without --resume."
            raise UserError("a resumed run keeps its settings: " + ", ".join(changed), run.id, fix, "setting")
    return run


def _meeting_point(workspace: Workspace) -> Path:
    # All processes of one launch on one machine have the same parent.
    return workspace.runs / f".launch-{os.getppid()}"


@contextlib.contextmanager
def _announced(run: Run) -> Iterator[None]:
    """Tell the other processes of this launch, if there are any, which run it is."""
    if "RANK" not in os.environ and "LOCAL_RANK" not in os.environ:
        yield
        return
    point = _meeting_point(run.workspace)
    write_text(point, str(run.folder))
    try:
        yield
    finally:
        point.unlink(missing_ok=True)


def _meet(workspace: Workspace) -> Path:
    point = _meeting_point(workspace)
    deadline = time.monotonic() + MEET_S
    while time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError):
            return Path(point.read_text(encoding="utf-8"))
        time.sleep(0.1)
    raise UserError("the first process of this launch made no run", str(point), "Look at its messages.", "launch")


def outcome(run: Run) -> dict[str, Any]:
    """What a run led to, as --json prints it: its results, and `errors` when it failed."""
    last = last_event(run.events)
    about: dict[str, Any] = {"run": run.id, "status": store.status(run), "folder": str(run.folder)}
    path = run.workspace.training_info(run.name) if run.kind == "train" else run.results
    if about["status"] in ("finished", "stopped"):
        about |= read_json(path) or {}
    if last is not None and last["kind"] == "ended" and last.get("problems"):
        about["errors"] = last["problems"]
    return about


def closing_lines(run: Run) -> list[str]:
    """The last lines of a command that went well."""
    if run.kind == "rehearse":
        tried = read_record(run.results, DryRunMeasured)
        return dry_run_lines(tried) if tried else []
    if run.kind == "train":
        return _training_lines(run)
    found = read_record(run.results, Results) or Results()
    if run.kind in store.STUDIES:
        return [*_study_lines(found), f"Results: {run.workspace.study(run.kind, run.id)}"]
    if run.kind == "batch":
        return batch_lines(found, outputs.files_of(run))
    lines = score_lines(found) if "overall_accuracy" in found else [f"The run is {store.status(run)}."]
    return [*lines, f"Results: {_published(run)}"]


def _training_lines(run: Run) -> list[str]:
    found = read_record(run.workspace.training_info(run.name), TrainingInfo) or TrainingInfo()
    best = found.get("best") or {}
    lines = [f"Model {run.name} after {found.get('steps', '?')} steps: {run.workspace.final(run.name)}"]
    if best.get("accuracy") is not None:
        lines.append(f"Best at step {best['step']}: {percent(best['accuracy'])} right, macro-F1 {best['macro_f1']:.3f}")
    return lines


def _study_lines(found: Results) -> list[str]:
    """A study's table and what follows from it."""
    from core.studies import crossval
    from core.studies.ablation import markdown

    if "table" in found:
        advice = found.get("recommendation")
        return [*markdown(found["table"]), "", *(advice["said"] if advice else [])]
    return [*score_lines(found), *crossval.lines(found)] if "overall_accuracy" in found else []


def _published(run: Run) -> Path:
    if run.kind == "baseline":
        return run.workspace.zeroshot_results
    settings = run.settings()
    return run.workspace.evaluation(settings.model.path, settings.data.split)

"""The process of a run: takes the locks, calls the engine, and writes the last event whatever happens."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from core.data import progress
from core.errors import Problem, UserError
from core.records import Prediction, PredictionRequest, main_numbers
from core.runs import files, journal, launcher, locks, prediction_client, store
from core.runs.events import Listener, Reporter, SilentReporter, append, as_stages, event, read_events
from core.runs.model_files import require_model
from core.runs.store import HEAVY, STUDIES, Run
from core.settings import Settings

# A signal that stops: 128 + SIGINT, as shells expect of a program that was interrupted.
INTERRUPTED = 130
# These kinds of events are copied to the training log that outlives the run's folder.
LOGGED = ("plan", "rehearsal", "step", "evaluation", "checkpoint")


@dataclass
class RunReporter:
    """Writes events, passes them to a listener, and knows whether the run shall stop.

    Attributes:
        run: The run whose log is written.
        listener: Called with every event.
        training_log: A second log, for the kinds of events in LOGGED.
        interrupted: Whether a signal asked to stop.
        stop_seen: Whether the engine was answered that it shall stop.
    """

    run: Run
    listener: Listener | None = None
    training_log: Path | None = None
    interrupted: bool = False
    stop_seen: bool = False

    def emit(self, kind: str, **fields: Any) -> None:
        """Append an event to the logs and pass it to the listener.

        Raises:
            UserError: A log cannot be written.
        """
        new = event(kind, **fields)
        append(self.run.events, new)
        if self.training_log is not None and kind in LOGGED:
            append(self.training_log, new)
        if self.listener is not None:
            try:
                self.listener(new)
            except OSError:  # the terminal was closed, or nobody reads the pipe any more: no reason to end a run
                self.listener = None

    def stop_requested(self) -> bool:
        """Whether the run shall save and end: asked to by its stop file or by a signal."""
        # The engine asks this after every step, and acts on the first yes.
        self.stop_seen = self.stop_seen or self.interrupted or self.run.stop_file.exists()
        return self.stop_seen


@dataclass(frozen=True)
class Work:
    """What a job needs: the run, its settings, a reporter, and whether it resumes earlier work."""

    run: Run
    settings: Settings
    reporter: Reporter
    resume: bool = False


# What a job returns is what it left as results; `complete` or `stopped` say whether it came to its end.
Job = Callable[[Work], Mapping[str, Any]]


def _evaluate(work: Work) -> Mapping[str, Any]:
    from core.engine import evaluation

    return evaluation.run(work.settings, work.run.folder, work.run.workspace, work.reporter)


def _train(work: Work) -> Mapping[str, Any]:
    from core.engine.training.run import train

    run = work.run
    return train(work.settings, run.name, run.folder, run.workspace, work.reporter, work.resume)


def _dry_run(work: Work) -> Mapping[str, Any]:
    from core.engine.training.run import dry_run_only

    return dry_run_only(work.settings, work.run.folder, work.run.workspace, work.reporter)


def _study(work: Work) -> Mapping[str, Any]:
    from core.engine import studies
    from core.runs.files import read_json
    from core.studies.plan import from_dict

    run = work.run
    plan = from_dict(read_json(run.plan), run.plan)
    return studies.run(work.settings, plan, run.folder, run.workspace, work.reporter)


def _batch(work: Work) -> Mapping[str, Any]:
    from core.engine import batch

    return batch.run(work.settings, work.run.folder, work.run.workspace, work.reporter)


def _serve(work: Work) -> Mapping[str, Any]:
    from core.runs import prediction_server

    return prediction_server.serve(work.run, work.settings, work.reporter)


def _with_photos(job: Job) -> Job:
    """`job`, preceded by drawing the sample set when the settings name it and it is not there yet."""

    def do(work: Work) -> Mapping[str, Any]:
        from core.demo import sample_set

        folder = work.run.workspace.sample_data
        if not sample_set.is_ready(work.settings.data, folder):
            work.reporter.emit("stage", text="Drawing the sample set")
            report = as_stages(work.reporter)
            sample_set.draw_sample(folder, lambda *done: report(progress.drawing(*done)))
        return job(work)

    return do


JOBS: dict[str, Job] = {
    "baseline": _with_photos(_evaluate),
    "evaluate": _with_photos(_evaluate),
    "train": _with_photos(_train),
    "rehearse": _with_photos(_dry_run),
    "predict": _serve,
    "ablate": _with_photos(_study),
    "crossval": _with_photos(_study),
    "batch": _with_photos(_batch),
}


def rank() -> int:
    """This process's rank in a distributed training (set by accelerate and torchrun); 0 when it is alone."""
    return int(os.environ.get("RANK") or os.environ.get("LOCAL_RANK") or 0)


def prepare_environment(settings: Settings) -> None:
    """Set the environment variables that libraries read on import; without `model.offline` they may use the network."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # Threads that spin while they wait slow a CPU run more than tenfold as soon as a browser wants a core too; threads
    # that sleep at once slow a quiet one by a quarter. GNU's OpenMP can spin briefly: as fast as spinning on a quiet
    # machine, 1.15 times the time of sleeping on a busy one.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    # bitsandbytes logs about optional kernels when it is imported, which means nothing to the user.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    for switch in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        if settings.model.offline:
            os.environ[switch] = "1"
        else:
            os.environ.pop(switch, None)


def work(folder: Path, listener: Listener | None = None, jobs: Mapping[str, Job] = JOBS) -> int:
    """Do the run in `folder` to its end; a run that began before is resumed.

    Args:
        folder: The run's folder, as `store.create` makes it.
        listener: Called with every event, besides its being written to the run's log.
        jobs: The function to call for each kind of run; tests put others in.

    Returns:
        The exit code: 0 (finished, or stopped as requested), 1 (failed unexpectedly), 2 (failed by something that the
        user can cure) or 130 (interrupted by a signal).

    Raises:
        UserError: There is no run in `folder`, or another process is at work on it, so that its log must not be
            written. Any other error is reported in the log.
    """
    run = store.open_run(folder)
    if rank() > 0:
        return _work_silently(run, jobs)
    reporter = RunReporter(run, listener)
    began = time.monotonic()
    with contextlib.ExitStack() as held, _signals_stop(reporter):
        try:
            with journal.exclusive(run.workspace):  # whoever renames or deletes it finds it at work, or was first
                run = reporter.run = store.open_run(folder)
                held.enter_context(locks.hold(run.lock))
        except locks.Held as error:
            fix = f"Stop it: damgui runs stop {run.id}"
            raise UserError("this run is already at work", run.id, fix, "busy") from error
        how, problems, code = _attempt(run, reporter, jobs, held)
        error_text = "\n".join(map(str, problems))
        seconds = round(time.monotonic() - began, 3)
        try:
            reporter.emit("ended", how=how, error=error_text, problems=[asdict(p) for p in problems], seconds=seconds)
        except UserError as error:  # a full disk takes no last event either; process.log may take this text
            print(error, file=sys.stderr)
            code = code or 2
    return code


Outcome = tuple[str, tuple[Problem, ...], int]


def _attempt(run: Run, reporter: RunReporter, jobs: Mapping[str, Job], held: contextlib.ExitStack) -> Outcome:
    """(how it ended, problems, exit code). The only place that catches every exception, for the run's last event."""
    try:
        if run.kind in HEAVY:
            held.enter_context(launcher.holding_engine(run))
        return _do(run, reporter, jobs)
    except UserError as error:
        return "failed", error.problems, 2
    except KeyboardInterrupt:
        fix = "Go on from the last checkpoint by --resume."
        problem = Problem("quit before this step was saved", run.id, fix, "interrupted")
        return "stopped", (problem,), INTERRUPTED
    except Exception as error:
        if files.is_full(error):
            return "failed", files.full(str(run.workspace.root)).problems, 2
        _keep_traceback(run)
        what = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
        return (
            "failed",
            (Problem(f"this failed unexpectedly ({what})", str(run.process_log), "Read that file's end.", "failed"),),
            1,
        )


def _release_predictors(run: Run, reporter: RunReporter) -> None:
    """End the prediction service before a heavy run: both models may not fit into memory.

    It may take a while, so `started` must be in the log by then: what comes before is not seen, nor can it be stopped.
    """

    def stopping() -> bool:
        # Not `reporter.stop_requested`: that a stop was seen says that the engine acts on it.
        return reporter.interrupted or run.stop_file.exists()

    if not prediction_client.release(run.workspace, f"{run.kind} {run.id}", stopping) and not stopping():
        text = "A model that answers questions about single photos is still in memory: this run may lack it."
        reporter.emit("warning", text=text)


def _do(run: Run, reporter: RunReporter, jobs: Mapping[str, Job]) -> Outcome:
    resume = any(past["kind"] == "started" for past in read_events(run.events))
    reporter.emit("started", run=run.id, pid=os.getpid(), job=run.kind, parent=os.getppid())
    settings = run.settings()
    prepare_environment(settings)
    if run.kind in HEAVY:
        _release_predictors(run, reporter)
    if run.kind == "train":
        reporter.training_log = _training_log(run, resume)
    found = jobs[run.kind](Work(run, settings, reporter, resume))
    stopped = _was_stopped(found, reporter)
    path = _publish(run, settings, found, stopped)
    if path is not None:
        reporter.emit("result", path=path, summary=main_numbers(found))
    if not stopped:
        return "finished", (), 0
    return "stopped", (), INTERRUPTED if reporter.interrupted else 0


def _was_stopped(found: Mapping[str, Any], reporter: RunReporter) -> bool:
    """Whether the engine left work undone; a request to stop after the last photo or step has no effect."""
    if "stopped" in found:
        return bool(found["stopped"])
    return not found["complete"] if "complete" in found else reporter.stop_seen


def _training_log(run: Run, resume: bool) -> Path:
    path = run.workspace.training_log(run.name)
    with files.writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not resume:
            path.write_bytes(b"")
    return path


def _publish(run: Run, settings: Settings, found: Mapping[str, Any], stopped: bool) -> Path | None:
    """Copy a run's results to their fixed place in the workspace and return it; None when it was stopped half-way."""
    if run.kind == "train":
        path = run.workspace.training_info(run.name)
        files.write_json(path, found)
        return path
    if run.kind not in ("baseline", "evaluate", *STUDIES) or stopped:
        return run.results if run.kind == "batch" and not stopped else None
    if run.kind in STUDIES:
        path, rows = run.workspace.study(run.kind, run.id), run.workspace.study_predictions(run.kind, run.id)
    elif run.kind == "baseline":
        path, rows = run.workspace.zeroshot_results, run.workspace.zeroshot_predictions
    else:
        model, split = settings.model.path, settings.data.split
        path, rows = run.workspace.evaluation(model, split), run.workspace.evaluation_predictions(model, split)
    for source, target in ((run.predictions, rows), (run.results, path)):
        if source.is_file():
            files.copy(source, target)
    return path


def _keep_traceback(run: Run) -> None:
    """Append the traceback to process.log; the user is shown one sentence that names this file."""
    with contextlib.suppress(OSError), run.process_log.open("a", encoding="utf-8") as log:
        traceback.print_exc(file=log)


def _work_silently(run: Run, jobs: Mapping[str, Job]) -> int:
    settings = run.settings()
    prepare_environment(settings)
    # The first process, a child of the same launcher, may or may not have emitted `started` by now.
    begun = (past for past in read_events(run.events) if past["kind"] == "started")
    resume = any(past.get("parent") != os.getppid() for past in begun)
    if run.kind == "train":
        jobs["train"](Work(run, settings, SilentReporter(run.stop_file.exists), resume))
    return 0


@contextlib.contextmanager
def _signals_stop(reporter: RunReporter) -> Iterator[None]:
    """Within the block Ctrl-C, SIGTERM and a closed terminal request a stop; a second Ctrl-C quits at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if reporter.interrupted and number == signal.SIGINT:
            raise KeyboardInterrupt
        reporter.interrupted = True
        if number == signal.SIGINT:
            # os.write: a handler may interrupt a print, and printing into that raises.
            os.write(2, b"\nStopping: this step is finished and saved first. Ctrl-C again quits at once.\n")

    wanted = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # What our caller chose to ignore (nohup does that to SIGHUP) stays ignored.
    before = {number: signal.signal(number, ask) for number in wanted if signal.getsignal(number) != signal.SIG_IGN}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def predict_once(settings: Settings, request: PredictionRequest) -> Prediction:
    """Predict once in this process, without a run or service.

    Args:
        settings: Those to predict with.
        request: The request of `core.engine.prediction.Predictor.predict`.

    Raises:
        UserError: Something is wrong that the user can cure, such as a missing photo or model.
    """
    prepare_environment(settings)
    require_model(settings.model)  # before torch is loaded for nothing
    from core.engine.prediction import Predictor

    return Predictor(settings).predict(request)


def main() -> int:
    """The command `python -m core.runs.worker RUN_FOLDER`; returns its exit code."""
    if len(sys.argv) != 2:
        print("usage: python -m core.runs.worker RUN_FOLDER", file=sys.stderr)
        return 2
    try:
        return work(Path(sys.argv[1]))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())

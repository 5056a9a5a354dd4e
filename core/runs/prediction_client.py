"""The client of the prediction service: finds or starts it, hands in questions, fetches answers. It needs no torch."""

from __future__ import annotations

import contextlib
import time
import uuid

from core.errors import UserError
from core.records import Prediction, PredictionRefused, PredictionRequest
from core.runs import launcher, locks, store
from core.runs.files import read_json, remove, write_json
from core.runs.prediction_server import answers_folder, requests_folder
from core.runs.store import Run
from core.runs.workspace import Workspace
from core.settings import Settings

# Services that ended are of no interest to anybody; this many are kept for their logs.
KEPT = 3
# A service looks for a request to end between two answers; loading a large model takes longer than one waits for.
RELEASE_S = 20.0


def _same_model(settings: Settings, other: Settings) -> bool:
    """Whether one service can answer for both: all that prediction reads is equal."""
    return (
        settings.model,
        settings.view,
        settings.question,
        settings.enhance,
        settings.data.taxonomy,
        settings.judging,
    ) == (
        other.model,
        other.view,
        other.question,
        other.enhance,
        other.data.taxonomy,
        other.judging,
    )


def _find(workspace: Workspace, settings: Settings) -> Run | None:
    """The service at work for these settings. Others are asked to end: two models may not fit into memory."""
    found = None
    for run in store.list_runs(workspace, "predict"):
        if store.status(run) not in store.ACTIVE or run.stop_file.exists():
            continue
        if found is None and _same_model(run.settings(), settings):
            found = run
        else:
            with contextlib.suppress(UserError):  # it may end by itself meanwhile
                launcher.stop(run)
    return found


def release(workspace: Workspace, patience_s: float | None = None) -> bool:
    """Ask the services of a workspace to end, so that their memory is free for a heavy run, and wait for it.

    Args:
        workspace: Whose services end.
        patience_s: How long to wait, in seconds; None means RELEASE_S.

    Returns:
        Whether all have ended: one that is answering or loading may need longer.
    """
    warm = [run for run in store.list_runs(workspace, "predict") if store.status(run) in store.ACTIVE]
    for run in warm:
        with contextlib.suppress(UserError):  # it may end by itself meanwhile
            launcher.stop(run)
    deadline = time.monotonic() + (RELEASE_S if patience_s is None else patience_s)
    return all(launcher.wait(run, max(deadline - time.monotonic(), 0)) not in store.ACTIVE for run in warm)


def _tidy(workspace: Workspace) -> None:
    over = [run for run in store.list_runs(workspace, "predict") if store.status(run) in ("finished", "stopped")]
    for run in over[KEPT:]:
        with contextlib.suppress(OSError):
            remove(run.folder)


def open_service(workspace: Workspace, settings: Settings) -> Run:
    """The prediction service for these settings, started when there is none.

    Calling this early (when the Predict tab opens) is cheap: the model is loaded at the first question.

    Raises:
        UserError: The service cannot start, or another process has been starting it for too long.
    """
    settings = store.with_absolute_paths(settings, workspace.root)
    try:
        with locks.hold(workspace.experiments / "desk.lock", patience_s=launcher.START_WAIT_S):
            run = _find(workspace, settings)
            if run is None:
                _tidy(workspace)
                run = launcher.begin(workspace, settings, "predict")
            return run
    except locks.Held as error:
        raise UserError("the prediction service is being started", "", "Ask again in a moment.", "busy") from error


def ask(workspace: Workspace, settings: Settings, request: PredictionRequest) -> str:
    """Hand in a question to the prediction service, which is started when there is none.

    Args:
        workspace: Whose service answers.
        settings: Those that the service predicts with.
        request: The request of `core.engine.prediction.Predictor.predict`.

    Returns:
        The question's number for `answer`.

    Raises:
        UserError: The service cannot start, or the question cannot be written.
    """
    run = open_service(workspace, settings)
    name = uuid.uuid4().hex[:12]
    write_json(requests_folder(run) / f"{name}.json", request)
    if store.status(run) not in store.ACTIVE:  # it ended, idle, while we wrote
        with contextlib.suppress(FileNotFoundError):
            (requests_folder(run) / f"{name}.json").unlink()
            run = open_service(workspace, settings)
            write_json(requests_folder(run) / f"{name}.json", request)
    return f"{run.id}/{name}"


def answer(workspace: Workspace, number: str) -> Prediction | PredictionRefused | None:
    """The answer to a question, {"error": text} when there will be none, None while it is being worked on."""
    identity, name = number.split("/", 1)
    folder = workspace.runs / identity
    try:
        run = store.open_run(folder)
    except UserError:
        return {"error": "The prediction service is gone; ask again."}
    over = store.status(run) not in store.ACTIVE
    found: Prediction | PredictionRefused | None = read_json(answers_folder(run) / f"{name}.json")
    if found is None and over:
        why = launcher.error_of(run) or f"see {run.process_log}"
        return {"error": f"The prediction service ended before it answered: {why}"}
    return found

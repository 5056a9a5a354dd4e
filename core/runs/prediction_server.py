"""The prediction service: a loaded model that answers requests. Both are files in the run's folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.records import Prediction, PredictionRefused, PredictionRequest, ProblemRecord
from core.runs import store
from core.runs.events import Reporter
from core.runs.files import file_stamp, read_json, remove, write_json, writing
from core.runs.store import Run
from core.settings import Settings

# A model in memory costs gigabytes: it goes when nobody has asked for this long.
IDLE_S = 600.0
POLL_S = 0.05
# Before a model is loaded, this long is waited for the service that holds another one to end.
MAKE_ROOM_S = 20.0
# The word that `store.request_stop` leaves when the model makes room for another question. The service then answers
# what waits before it ends: else two pages that ask different models would take turns without an answer.
FOR_A_QUESTION = "a question with other settings"

Predict = Callable[[PredictionRequest], Prediction]


def requests_folder(run: Run) -> Path:
    """Where requests wait: a JSON file for each, removed once it is answered."""
    return run.folder / "requests"


def answers_folder(run: Run) -> Path:
    """Where answers are written: a JSON file for each, under its request's name."""
    return run.folder / "answers"


def load_predictor(settings: Settings) -> Predict:
    """Load the model and return the function that answers a request.

    Raises:
        UserError: The model cannot be loaded.
    """
    from core.engine.prediction import Predictor

    return Predictor(settings).predict


def serve(
    run: Run,
    settings: Settings,
    reporter: Reporter,
    load: Callable[[Settings], Predict] = load_predictor,
    idle_s: float = IDLE_S,
) -> dict[str, Any]:
    """Answer requests, oldest first, until a stop is requested or there was no request for `idle_s` seconds.

    A stop ends it after the present answer, or after all that wait when another question needs the room. Requests that
    still wait then stay in their place, and `prediction_client.answer` hands them to a new service or says why not.

    A UserError becomes the answer; any other exception ends the service, and `prediction_client.answer` reports that to
    whoever waits.

    Args:
        run: The service's run; requests and answers lie in its folder.
        settings: The run's settings.
        reporter: Gets a stage when the model is loaded; asked whether to stop.
        load: Called with the settings at the first request, returns the function that answers one.
        idle_s: Seconds without a request after which the service ends.

    Returns:
        {"answered": number of answers, "stopped": whether a stop was requested}.
    """
    for folder in (requests_folder(run), answers_folder(run)):
        with writing(folder):
            folder.mkdir(exist_ok=True)
    predict: Predict | None = None
    last = time.monotonic()
    answered: set[Path] = set()
    while True:
        # A request may be withdrawn meanwhile, and one that could not be removed is not answered twice.
        there = set(requests_folder(run).glob("*.json")) - answered
        waiting = sorted(there, key=lambda path: (file_stamp(path)[:1], path.name))
        idle = not waiting and (reporter.stop_requested() or time.monotonic() - last > idle_s)
        if idle or _must_end(run, reporter):
            return {"answered": len(answered), "stopped": reporter.stop_requested()}
        for path in waiting:
            if predict is None:
                reporter.emit("stage", text="Loading the model")
                _wait_for_room(run, reporter)
            if _must_end(run, reporter):
                break
            answer: Prediction | PredictionRefused
            try:
                predict = predict or load(settings)
                request = read_json(path)
                if request is None:
                    continue
                answer = predict(request)
            except UserError as error:
                problems = [
                    ProblemRecord(what=one.what, where=one.where, fix=one.fix, kind=one.kind) for one in error.problems
                ]
                answer = {"error": str(error), "problems": problems}
            write_json(answers_folder(run) / path.name, answer)
            answered.add(path)
            with suppress(OSError):  # another process may have it open
                remove(path)
            last = time.monotonic()
        if not waiting:
            time.sleep(POLL_S)


def stop_reason(run: Run) -> str:
    """What a service was asked to end for; "" when a user or a signal asked for it, or nobody."""
    with suppress(OSError):
        return run.stop_file.read_text(encoding="utf-8")
    return ""


def _must_end(run: Run, reporter: Reporter) -> bool:
    """Whether a service is to end though requests may wait."""
    return reporter.stop_requested() and stop_reason(run) != FOR_A_QUESTION


def _wait_for_room(run: Run, reporter: Reporter) -> None:
    """Wait for older services to end: both models may not fit into memory. They were asked to before this one began."""
    older = [
        other
        for other in store.list_runs(run.workspace, "predict")
        if (other.created, other.id) < (run.created, run.id) and other.stop_file.exists()
    ]
    deadline = time.monotonic() + MAKE_ROOM_S
    while any(store.status(other) in store.ACTIVE for other in older):
        if _must_end(run, reporter) or time.monotonic() > deadline:
            return
        time.sleep(POLL_S)

"""The prediction service: a loaded model that answers requests. Both are files in the run's folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.records import Prediction, PredictionRefused, PredictionRequest, ProblemRecord
from core.runs.events import Reporter
from core.runs.files import read_json, write_json, writing
from core.runs.store import Run
from core.settings import Settings

# A model in memory costs gigabytes: it goes when nobody has asked for this long.
IDLE_S = 600.0
POLL_S = 0.05

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
    answered, last = 0, time.monotonic()
    while True:
        waiting = sorted(requests_folder(run).glob("*.json"), key=lambda path: (path.stat().st_mtime_ns, path.name))
        if reporter.stop_requested() or (not waiting and time.monotonic() - last > idle_s):
            return {"answered": answered, "stopped": reporter.stop_requested()}
        for path in waiting:
            if predict is None:
                reporter.emit("stage", text="Loading the model")
            answer: Prediction | PredictionRefused
            try:
                predict = predict or load(settings)
                answer = predict(read_json(path))
            except UserError as error:
                problems = [
                    ProblemRecord(what=one.what, where=one.where, fix=one.fix, kind=one.kind) for one in error.problems
                ]
                answer = {"error": str(error), "problems": problems}
            write_json(answers_folder(run) / path.name, answer)
            path.unlink()
            answered, last = answered + 1, time.monotonic()
        if not waiting:
            time.sleep(POLL_S)

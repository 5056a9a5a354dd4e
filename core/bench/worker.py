"""The process that measures: `python -m core.bench.worker JOB`, with requests and replies as lines of JSON.

It loads its model and reports that; a first request states how many steps to warm up, and the reply what that took;
then every request is answered with a reading over whole steps, the making of their data included.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, TextIO

from core.bench.measure import Job
from core.bench.step_meter import StepMeter, write_message
from core.errors import Problem, UserError


def variants() -> Mapping[str, Callable[[Job, Any, StepMeter], None]]:
    """What can be measured, by name.

    Each is called with the job, the model and photos opened for it (`subjects.Subject`) and the meter: it prepares,
    calls `meter.begin`, then calls the meter after every step until that ends it.
    """
    from core.bench import check, evaluation, ours, plain, throughput, trl

    return {
        "plain": plain.train,
        "trl": trl.train,
        "packed": ours.train,
        "cached": ours.train,
        "generate": evaluation.generate,
        "judge": evaluation.judge,
        "judge cached": evaluation.judge,
        "check": check.compare,
        "shape": throughput.train,
        "shape cached": throughput.train,
        "shape 4-bit": throughput.train,
    }


def work(job: Job, requests: TextIO, replies: TextIO) -> None:
    """Do a job; `requests` and `replies` carry lines of JSON.

    Args:
        job: what is measured.
        requests: lines of JSON: the first begins the measuring, each of the others asks for a reading.
        replies: takes lines of JSON: that the model is loaded, then the readings, or why there are none.
    """
    from core.bench.subjects import Unavailable, open_subject

    try:
        subject = open_subject(job)
        write_message(replies, {"loaded": True})
        line = requests.readline()
        if line:
            meter = StepMeter(requests, replies, subject.loaded.device, json.loads(line)["warm"])
            variants()[job.variant](job, subject, meter)
    except Unavailable as error:
        write_message(replies, {"unavailable": str(error)})
    except UserError as error:
        write_message(replies, {"problems": [asdict(problem) for problem in error.problems]})


def main() -> int:
    """Do the job that the first argument holds as JSON; returns the exit code."""
    # Libraries print; the answers must stand alone.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        work(Job(**json.loads(sys.argv[1])), sys.stdin, out)
    except Exception as error:
        traceback.print_exc()
        problem = Problem(f"the measurement failed ({type(error).__name__}: {error})"[:400], kind="bench")
        write_message(out, {"problems": [asdict(problem)]})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The process that measures: `python -m core.bench.worker JOB`, asked and answering by lines of JSON.

It loads its model and says so; told how many steps to warm up it prepares, warms up and says what that took; then every
question is answered with a reading over whole steps, the making of their data included.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, TextIO

from core.bench.beat import Beat, say
from core.bench.measure import Job
from core.errors import Problem, UserError


def variants() -> Mapping[str, Callable[[Job, Any, Beat], None]]:
    """What can be measured, by name. Each prepares, calls `beat.begin`, then works until `beat` says no."""
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


def work(job: Job, hear: TextIO, out: TextIO) -> None:
    from core.bench.subjects import Unavailable, open_subject

    try:
        subject = open_subject(job)
        say(out, {"loaded": True})
        line = hear.readline()
        if line:
            beat = Beat(hear, out, subject.loaded.device, json.loads(line)["warm"])
            variants()[job.variant](job, subject, beat)
    except Unavailable as error:
        say(out, {"unavailable": str(error)})
    except UserError as error:
        say(out, {"problems": [asdict(problem) for problem in error.problems]})


def main() -> int:
    # Libraries print; the answers must stand alone.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        work(Job(**json.loads(sys.argv[1])), sys.stdin, out)
    except Exception as error:
        traceback.print_exc()
        problem = Problem(f"the measurement failed ({type(error).__name__}: {error})"[:400], kind="bench")
        say(out, {"problems": [asdict(problem)]})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

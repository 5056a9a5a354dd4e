"""Judged runs as they lie in a workspace: real folders, rows of a few objects, real scores."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core import metrics
from core.runs import store
from core.runs.store import Run
from core.runs.workspace import Workspace
from core.settings import Settings, merge, to_dict
from damgui.run_state import RunState
from damgui.snapshot import take_snapshot

# Pairs of (truth, answer), each about the one object of a photo.
Pairs = list[tuple[str, str]]
Judge = Callable[..., Path]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return store.open_workspace(tmp_path)


def state_of(run: Run) -> RunState:
    """A run as the page sees it now."""
    found = take_snapshot(run.workspace).state(run.id)
    assert found is not None
    return found


def answer(image: str, number: int, truth: str, predicted: str, kind: str = "toe drain") -> dict[str, Any]:
    sure = {"normal": 0.1, "blocked": 0.1, "damaged": 0.1} | {predicted: 0.8}
    return {
        "image": image,
        "object": number,
        "box_xyxy_px": [4, 4 + number, 20, 12],
        "object_type": kind,
        "truth": truth,
        "predicted": predicted,
        "truth_class": f"{kind} {truth}",
        "predicted_class": f"{kind} {predicted}",
        "question": "condition",
        "choices": 3,
        "probabilities": sure,
    }


@pytest.fixture
def judge(workspace: Workspace) -> Judge:
    """Leave a finished baseline, or with `tuned` an evaluation of that model, in the workspace; returns its folder."""

    def leave(pairs: Pairs, tuned: str = "", split: str = "valid", fingerprint: str = "f" * 8, **settings: Any) -> Path:
        photos = workspace.sample_data / split / "images"
        photos.mkdir(parents=True, exist_ok=True)
        for n in range(len(pairs)):
            Image.new("RGB", (40, 30), "green").save(photos / f"{n}.jpg")
        used = merge(Settings(), {"data.split": split, **settings})
        run = store.create(workspace, used, "evaluate" if tuned else "baseline", tuned)
        rows = [answer(f"{split}/images/{n}.jpg", 0, truth, given) for n, (truth, given) in enumerate(pairs)]
        adapter = workspace.final(tuned) if tuned else None
        if adapter is not None:
            adapter.mkdir(parents=True, exist_ok=True)
            (adapter / "damgui.json").write_text(json.dumps({"settings": to_dict(used)}))
        found = metrics.score(rows) | {
            "seconds": 1.0,
            "complete": True,
            "settings": to_dict(used),
            "model": {"path": "demo", "adapter": str(adapter) if adapter else None},
            "data": {
                "path": "demo",
                "split": split,
                "photos": len(rows),
                "objects": len(rows),
                "fingerprint": fingerprint,
            },
        }
        run.results.write_text(json.dumps(found))
        run.predictions.write_text("".join(json.dumps(row) + "\n" for row in rows))
        run.events.write_text(json.dumps({"t": 1.0, "kind": "ended", "how": "finished"}) + "\n")
        return run.folder

    return leave

"""A small judged run on disk: drawn photos, answers about their objects, and the results that follow from them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.metrics import score
from core.runs import store
from core.runs.files import write_json
from core.runs.store import Run
from core.settings import Settings, merge

Row = dict[str, Any]
MakeRun = Callable[..., Run]


def row(image: str, number: int, truth: str = "normal", predicted: str = "normal", **more: Any) -> Row:
    """An answer about a slope drain."""
    share = 0.9 - 0.01 * number
    others = [name for name in ("normal", "blocked", "damaged") if name != predicted]
    chances = {predicted: share, others[0]: (1 - share) * 0.75, others[1]: (1 - share) * 0.25}
    x = 10.0 + 20 * number
    return {
        "image": image,
        "object": number,
        "box_xyxy_px": [x, 30.0, x + 16, 60.0],
        "object_type": "slope drain",
        "truth": truth,
        "predicted": predicted,
        "truth_class": f"slope drain {truth}",
        "predicted_class": f"slope drain {predicted}",
        "question": "condition",
        "choices": 3,
        "probabilities": {name: chances[name] for name in ("normal", "blocked", "damaged")},
        **more,
    }


def paint(path: Path, size_wh: tuple[int, int] = (200, 120)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(len(path.name)).integers(60, 200, (size_wh[1] // 4, size_wh[0] // 4, 3), np.uint8)
    Image.fromarray(noise).resize(size_wh).save(path)


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """make_run(rows, kind, more, settings): a run that has judged these rows; its photos are painted."""

    def make(
        rows: Sequence[Row],
        kind: str = "evaluate",
        more: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
    ) -> Run:
        data = tmp_path / "photos"
        for image in {answer["image"] for answer in rows}:
            if not (data / image).exists():
                paint(data / image)
        workspace = store.open_workspace(tmp_path)
        chosen = merge(Settings(), {"data.path": str(data), "model.path": "some-model", **(settings or {})})
        run = store.create(workspace, chosen, kind)
        run.predictions.write_text("".join(json.dumps(answer) + "\n" for answer in rows), encoding="utf-8")
        found: dict[str, Any] = {
            "complete": True,
            "seconds": 2.0,
            "model": {"path": "some-model", "adapter": None, "fingerprint": "abc", "parameters": 1000},
            "data": {
                "path": str(data),
                "split": "valid",
                "photos": len({answer["image"] for answer in rows}),
                "objects": len(rows),
                "fingerprint": "f" * 64,
            },
        }
        if kind == "batch":
            counts = {
                name: sum(answer["predicted"] == name for answer in rows) for name in ("normal", "blocked", "damaged")
            }
            found |= {
                "conditions": counts,
                "objects": len(rows),
                "photos": found["data"]["photos"],
                "type_unknown": 0,
            }
        else:
            found |= score(rows) | {"prior": {"accuracy": 0.5, "macro_f1": 0.3}}
        write_json(run.results, found | (more or {}))
        return run

    return make


@pytest.fixture
def few() -> list[Row]:
    """Seven answers about three photos, two of them wrong, one unsure."""
    return [
        row("a.png", 0),
        row("a.png", 1, "damaged", "normal"),
        row("a.png", 2, "damaged", "damaged"),
        row("sub/b.png", 0, "normal", "blocked"),
        row("sub/b.png", 1, "blocked", "blocked"),
        row("c.png", 0, unsure=True, calibrated={"normal": 0.6, "blocked": 0.3, "damaged": 0.1}),
        row("c.png", 1),
    ]

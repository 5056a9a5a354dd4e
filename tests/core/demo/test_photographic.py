"""Laws of the photographic scenes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from core.demo.photographic import draw_photographic
from core.demo.scenes import CLASS_OF, Scene, random_wanted

ROOT = Path(__file__).resolve().parents[3]
FULL_SCENE = [("rock toe", "damaged"), ("toe drain", "blocked"), ("slope drain", "damaged"), ("vegetation", "normal")]


def test_same_arguments_give_the_same_pixels() -> None:
    first, second = (draw_photographic(7, FULL_SCENE, 160) for _ in range(2))
    assert first.image.tobytes() == second.image.tobytes() and first.objects == second.objects
    assert first.image.tobytes() != draw_photographic(8, FULL_SCENE, 160).image.tobytes()


def test_another_process_draws_the_same_scene() -> None:
    """The order of a set of words changes from process to process; nothing may hang on it."""
    line = (
        "import hashlib; from core.demo.photographic import draw_photographic as draw; "
        f"print(hashlib.sha256(draw(7, {FULL_SCENE}, 96).image.tobytes()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", line],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(digests) == 1


def test_all_that_is_wanted_is_drawn_inside_the_photo() -> None:
    met = set()
    for seed in range(30):
        wanted = random_wanted(seed)
        scene = draw_photographic(seed, wanted, 160)
        assert scene.image.size == (160, 160) and scene.image.mode == "RGB"
        assert [(item.object_type, item.condition) for item in scene.objects] == wanted
        for item in scene.objects:
            x0, y0, x1, y1 = item.box_xyxy_px
            assert 0 <= x0 < x1 <= 160 and 0 <= y0 < y1 <= 160 and min(x1 - x0, y1 - y0) >= 2
            assert item.class_name == CLASS_OF[item.object_type, item.condition]
        met |= set(wanted)
    assert met == set(CLASS_OF)


@pytest.mark.parametrize("kind", ["toe drain", "slope drain", "rock toe"])
def test_a_box_does_not_tell_the_condition(kind: str) -> None:
    conditions = [condition for other, condition in CLASS_OF if other == kind]
    for seed in range(4):
        boxes = {draw_photographic(seed, [(kind, condition)], 160).objects[0].box_xyxy_px for condition in conditions}
        assert len(boxes) == 1


def seen(scene: Scene, box: tuple[float, float, float, float]) -> list[float]:
    """A few plain statistics of what a box shows."""
    x0, y0, x1, y1 = (round(end) for end in box)
    crop = np.asarray(scene.image, dtype=float)[y0 : max(y1, y0 + 2), x0 : max(x1, x0 + 2)]
    grey = crop.mean(2)
    steps = [np.abs(np.diff(grey, axis=axis)).mean() for axis in (0, 1)]
    green = 2 * crop[..., 1] - crop[..., 0] - crop[..., 2]
    lines = [grey.mean(axis).std() for axis in (0, 1)]
    return [*crop.mean((0, 1)), *crop.std((0, 1)), green.mean(), green.std(), *steps, *lines]


def test_plain_statistics_of_the_crop_tell_the_condition_better_than_guessing() -> None:
    found: dict[str, tuple[list[list[float]], list[str]]] = defaultdict(lambda: ([], []))
    for seed in range(80):
        scene = draw_photographic(seed, random_wanted(seed), 208)
        for item in scene.objects:
            found[item.object_type][0].append(seen(scene, item.box_xyxy_px))
            found[item.object_type][1].append(item.condition)
    for kind, least in {"toe drain": 0.5, "slope drain": 0.5, "rock toe": 0.6}.items():
        judge = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
        assert cross_val_score(judge, *found[kind], cv=4).mean() > least, kind

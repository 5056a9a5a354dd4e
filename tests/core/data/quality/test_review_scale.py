"""The review of many photos: in time, and in memory that does not grow with their pixels.

2,000 photos with 10,000 objects here. The full scale, 20,000 photos with 100,000 objects in two minutes on two cores:
DAMGUI_FULL_SCALE=1 python -m pytest -s tests/core/data/quality/test_review_scale.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

PHOTOS = 20_000 if os.environ.get("DAMGUI_FULL_SCALE") else 2_000
SECONDS = 120 * max(PHOTOS, 4_000) / 20_000  # start-up and other work of the machine weigh more on the small one
# ru_maxrss of a process that was forked is at least its parent's, so the process looks at itself.
PROBE = """
import sys, time, threading, psutil, json
started, me, most = time.perf_counter(), psutil.Process(), [0]
def watch():
    while True:
        most[0] = max(most[0], me.memory_info().rss)
        time.sleep(0.02)
threading.Thread(target=watch, daemon=True).start()
from damgui.cli import commands
code = commands.main(["check", "--data", sys.argv[1], "--workspace", sys.argv[1], "--json"])
print(json.dumps({"code": code, "seconds": time.perf_counter() - started, "peak_mb": most[0] / 1e6}), file=sys.stderr)
"""


def fill(root: Path, photos: int, size: int) -> None:
    """Photos of soft noise, a hundred a flight, five boxes in each; every hundredth was saved twice."""
    rng = np.random.default_rng(0)
    for split in ("train", "valid"):
        for part in ("images", "labels"):
            (root / split / part).mkdir(parents=True)
    for number in range(photos):
        split = "valid" if number // 100 % 5 == 4 else "train"
        stem = f"Flight{number // 100}_{number % 100 * 9}"
        noise = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        picture = Image.fromarray(noise).resize((size, size), Image.Resampling.BICUBIC)
        picture.save(root / split / "images" / f"{stem}.jpg", quality=80)
        if number % 100 == 0:
            picture.save(root / split / "images" / f"Again{number}_1.jpg", quality=70)
            (root / split / "labels" / f"Again{number}_1.txt").write_text("0 0.5 0.5 0.3 0.3\n")
        boxes = np.column_stack([rng.integers(0, 9, 5), rng.uniform(0.25, 0.75, (5, 2)), rng.uniform(0.2, 0.4, (5, 2))])
        lines = [f"{int(box[0])} " + " ".join(f"{value:.5f}" for value in box[1:]) for box in boxes]
        (root / split / "labels" / f"{stem}.txt").write_text("\n".join(lines))
    names = [
        f"{kind} {condition}" for kind in ("toe drain", "slope drain") for condition in ("normal", "blocked", "damaged")
    ]
    names += ["rock toe normal", "rock toe damaged", "vegetation"]
    (root / "data.yaml").write_text(f"train: train/images\nval: valid/images\nnames: {json.dumps(names)}\n")


def check(root: Path) -> tuple[dict[str, object], dict[str, float]]:
    done = subprocess.run([sys.executable, "-c", PROBE, str(root)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout), json.loads(done.stderr.strip().splitlines()[-1])


def test_the_review_of_many_photos_is_quick_and_lean(tmp_path: Path) -> None:
    fill(tmp_path, PHOTOS, 64)
    report, cost = check(tmp_path)
    print(f"\n{PHOTOS:,} photos: {cost['seconds']:.1f} s, peak {cost['peak_mb']:.0f} MB")
    assert sum(report["objects"].values()) == 5 * PHOTOS + PHOTOS // 100  # type: ignore[attr-defined]
    twice = next(finding for finding in report["review"]["findings"] if finding["kind"] == "duplicate")  # type: ignore[index]
    assert len(twice["groups"]) == PHOTOS // 100
    assert cost["seconds"] < SECONDS
    assert cost["peak_mb"] < 200 + 0.02 * PHOTOS


def test_memory_does_not_grow_with_the_pixels_of_the_photos(tmp_path: Path) -> None:
    peaks = []
    for size in (64, 1024):
        fill(tmp_path / str(size), 100, size)
        peaks.append(check(tmp_path / str(size))[1]["peak_mb"])
    assert peaks[1] - peaks[0] < 60  # of 315 MB that the hundred photos have

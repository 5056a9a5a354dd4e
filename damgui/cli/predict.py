"""`damgui predict`: one object in a photo, judged in this process."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from core.boxes import box_fractions
from core.data.photos import require_size
from core.errors import UserError
from core.records import Prediction, PredictionRequest
from core.runs.store import open_workspace, with_absolute_paths
from core.runs.worker import predict_once
from core.settings import Settings
from core.units import percent

BOX_CURE = "Write x1,y1,x2,y2 in pixels, such as 10,20,200,180."


def predict(args: argparse.Namespace, settings_of: Callable[[argparse.Namespace], Settings]) -> Prediction:
    """The answer to what `args` ask.

    Raises:
        UserError: nothing says what is to be judged, or photo, box or model cannot be used.
    """
    workspace = open_workspace(args.workspace)
    image, box = Path(args.image).expanduser(), box_of(args.box)
    if args.whole_photo and box is not None:
        fix = "Leave one of them out."
        raise UserError("a box and the whole photo cannot both be judged", "--whole-photo", fix, "box")
    if not args.whole_photo and box is None:
        fix = "Give the object's box, --box x1,y1,x2,y2 in pixels, or --whole-photo to judge the photo as one object."
        raise UserError("nothing says what is to be judged in this photo", str(image), fix, "box")
    box_fractions(box, require_size(image))  # before torch is loaded for nothing
    settings = with_absolute_paths(settings_of(args), Path.cwd(), workspace.root)
    request: PredictionRequest = {
        "image": str(image.resolve()),
        "box_xyxy_px": box,
        "object_type": args.object,
        "models": [settings.model.path],
    }
    return predict_once(settings, request)


def lines_of(found: Prediction) -> list[str]:
    """An answer as it is printed: the verdict, and under it every possible answer with its probability."""
    lines = []
    for answer in found["answers"]:
        lines.append(f"{answer['predicted_type']} {answer['predicted']}  {percent(answer['probability'])}")
        for name, share in (answer.get("class_probabilities") or answer["probabilities"]).items():
            lines.append(f"  {name:<24}{percent(share):>8}")
    return lines


def box_of(text: str | None) -> list[float] | None:
    """The box of `--box`; None where none was typed. Raises UserError where it is none."""
    if text is None:
        return None
    parts = text.replace(" ", "").split(",")
    try:
        box = [float(part) for part in parts]
    except ValueError:
        box = []
    if len(box) != 4 or not (box[0] < box[2] and box[1] < box[3]):
        raise UserError(f"{text!r} is not a box", "--box", BOX_CURE, "box")
    return box

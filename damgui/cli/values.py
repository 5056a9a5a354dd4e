"""Values as they are typed on the command line."""

from __future__ import annotations

from core.errors import UserError


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
        raise UserError(f"{text!r} is not a box", "--box", "Write x1,y1,x2,y2 in pixels, such as 10,20,200,180", "box")
    return box

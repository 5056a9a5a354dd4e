"""The label formats that are written. A new format is a file and its line here."""

from __future__ import annotations

from collections.abc import Mapping

from core.data.write import coco, cvat, table, voc, yolo
from core.data.write.base import LabelWriter
from core.errors import UserError

WRITERS: Mapping[str, LabelWriter] = {
    writer.name: writer for writer in (yolo.WRITER, coco.WRITER, voc.WRITER, table.WRITER, cvat.WRITER)
}


def require_writer(name: str) -> LabelWriter:
    """The writer of a format.

    Raises:
        UserError: no format of this name is written.
    """
    if name not in WRITERS:
        raise UserError(
            f"{name!r} is no format that is written", "--to", f"Use one of: {', '.join(WRITERS)}.", "command"
        )
    return WRITERS[name]

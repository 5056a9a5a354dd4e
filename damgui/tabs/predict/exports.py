"""What was judged, to take away: the photo with boxes and verdicts drawn in, and a table."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Sequence
from pathlib import Path

from core.data.photos import UNREADABLE
from core.errors import UserError
from core.report import annotate, spreadsheet
from core.taxonomy import Taxonomy
from damgui.components.downloads import offer
from damgui.tabs.predict import text, view
from damgui.tabs.predict.questions import ChosenPhoto
from damgui.tabs.predict.view import Answered

QUALITY = 92


def picture(photo: ChosenPhoto, answered: Sequence[Answered], known: Taxonomy) -> str:
    """The photo in its full size with the verdict of the last model at each box, as a JPEG.

    Returns:
        The path of a copy that the page may serve.

    Raises:
        UserError: the photo cannot be read any more.
    """
    rows = [view.prediction_row(photo, item, item.answers[-1], known) for item in answered if item.answers]
    try:
        drawn = annotate.draw(photo.path, rows, known, full_size=True)
    except UNREADABLE as error:
        raise UserError(text.PHOTO_GONE, photo.path.name, text.PHOTO_GONE_CURE) from error
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{photo.path.stem}_judged.jpg"
        drawn.save(path, "JPEG", quality=QUALITY)
        return offer(path)


def table(photo: ChosenPhoto, answered: Sequence[Answered], known: Taxonomy) -> str:
    """A row for each box and model: the columns of the table of Many photos, then the model and the label.

    Returns:
        The path of a copy that the page may serve.
    """
    classes = known.class_names if any(item.question.object_type is None for item in answered) else ()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{photo.path.stem}_judged.csv"
        with path.open("w", encoding="utf-8-sig", newline="") as stream:
            out = csv.writer(stream)
            out.writerow([*spreadsheet.head(known, classes), "model", "label"])
            for item in answered:
                labelled = view.truth(photo, item.question, known)
                for answer in item.answers:
                    row = view.prediction_row(photo, item, answer, known)
                    cells = spreadsheet.cells(row, known, classes)
                    out.writerow([*cells, answer["label"], labelled.name if labelled else ""])
        return offer(path)

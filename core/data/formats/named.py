"""Formats that are recognised and not read: what a file is, and what to do with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from core.data.files import Folder
from core.data.formats.gather import MOST_HEADS, head_of
from core.data.formats.table_columns import IMAGE, columns_of
from core.errors import Problem

LETTERED = r"[A-Za-z_]\S*"
NUMBER = r"-?\d+(?:\.\d+)?"
SHOWN = 8  # columns or keys that a sentence quotes
EXPORT = "Export the labels as YOLO, COCO or CSV."


@dataclass(frozen=True)
class NamedFormat:
    """A format that is not read.

    Attributes:
        says: what a file of it is, as a sentence after the file's name.
        endings: of its files, in lower case.
        patterns: all of which the beginning of its files holds; none where the ending is enough.
        fix: what to do.
    """

    says: str
    endings: tuple[str, ...]
    patterns: tuple[str, ...] = ()
    fix: str = EXPORT


NAMED: Sequence[NamedFormat] = (
    NamedFormat(
        "this is a ShareGPT file: it holds conversations, not boxes",
        (".json", ".jsonl"),
        (r'"(messages|conversations)"\s*:', r'"(role|from)"\s*:'),
    ),
    NamedFormat(
        "this is NDJSON of Ultralytics, which is not read",
        (".ndjson", ".jsonl"),
        (r'"type"\s*:\s*"dataset"', r'"(task|class_names)"'),
        "Export the data set as YOLO.",
    ),
    NamedFormat(
        "this table has one column for each class and no boxes",
        ("_classes.csv",),
        (),
        "Export it with boxes, or put the photos into one folder for each class.",
    ),
    NamedFormat("this is an Excel file", (".xlsx", ".xls", ".ods", ".numbers"), (), "Save the sheet as CSV."),
    NamedFormat(
        "these are KITTI labels, which are not read", (".txt",), (rf"(?m)^{LETTERED}(?: {NUMBER}){{14,15}}\s*$",)
    ),
    NamedFormat(
        "these are DOTA labels, which are not read", (".txt",), (rf"(?m)^(?:{NUMBER} ){{8}}{LETTERED} \d\s*$",)
    ),
    NamedFormat(
        "these are labels of keras-yolo3 (a photo, then x1,y1,x2,y2,class for each box), which are not read",
        (".txt",),
        (r"(?m)^\S+\.(?:jpe?g|png|JPE?G|PNG)(?: \d+,\d+,\d+,\d+,\d+)+\s*$",),
    ),
    NamedFormat(
        "this is a project of VGG Image Annotator 3, which is not read",
        (".json",),
        (r'"project"\s*:', r'"fname"\s*:'),
        "Export the labels in version 2.",
    ),
    NamedFormat(
        "these are predictions in the form of COCO's results, without photos and classes",
        (".json",),
        (r"^\s*\[", r'"image_id"\s*:', r'"score"\s*:'),
        "Give the labels themselves.",
    ),
    NamedFormat(
        "this is an export of Labelbox, which is not read", (".json", ".ndjson"), (r'"data_row"', r'"projects"')
    ),
    NamedFormat("this is an export of VoTT, which is not read", (".json", ".vott"), (r'"asset"\s*:', r'"regions"\s*:')),
    NamedFormat(
        "this is an export of Darwin (V7), which is not read", (".json",), (r'"bounding_box"', r'"(item|slots)"')
    ),
    NamedFormat("this is a file of Scalabel (BDD100K), which is not read", (".json",), (r'"box2d"',)),
    NamedFormat("this is a manifest of SageMaker, which is not read", (".manifest", ".jsonl"), (r'"source-ref"',)),
    NamedFormat("this is a TFRecord file, which is not read", (".tfrecord", ".tfrecords", ".record")),
    NamedFormat("this is a Parquet file, which is not read", (".parquet", ".arrow")),
    NamedFormat("this is a Matlab file, which is not read", (".mat",)),
    NamedFormat(
        "this is an archive", (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar"), (), "Unpack it, or give it by name."
    ),
)


def named_files(folder: Folder) -> Iterator[tuple[NamedFormat, list[str]]]:
    """Formats that are not read, each with its files; of many files of an ending only some are looked at."""
    lowered = [(name, name.lower()) for name in folder.names]
    for known in NAMED:
        names = [name for name, low in lowered if low.endswith(known.endings)]
        sample = names[:: max(1, -(-len(names) // MOST_HEADS))] if known.patterns else names
        found = [name for name in sample if is_named(known, head_of(folder, name) if known.patterns else "")]
        if found:
            yield known, found


def named_problems(folder: Folder) -> list[Problem]:
    """One problem for each format that is not read."""
    return [
        Problem(
            known.says + (f" (as {len(names) - 1:,} more)" if len(names) > 1 else ""), names[0], known.fix, "no-data"
        )
        for known, names in named_files(folder)
    ]


def described(folder: Folder) -> Iterator[Problem]:
    """What the label files of a folder hold that no format recognises: the first of each ending."""
    seen: set[str] = set()
    for name in folder.names:
        ending = PurePosixPath(name).suffix.lower()
        if ending in DESCRIBED and ending not in seen and (what := DESCRIBED[ending](head_of(folder, name))):
            seen.add(ending)
            yield Problem(what, name, TABLE_CURE if ending != ".xml" else EXPORT, "no-data")


def _table(head: str) -> str:
    """What is missing in the columns of a table."""
    line = next((line for line in head.splitlines() if line.strip()), "")
    cells = [cell.strip() for cell in re.split(r"[,;\t|]", line) if cell.strip()]
    columns = columns_of(cells)
    missing = [noun for noun, lacks in (("photo", IMAGE not in columns.places), ("box", not columns.shape)) if lacks]
    if not cells or not missing:
        return ""
    return f"this table has no column for the {' and none for the '.join(missing)} ({_quoted(cells)})"


def _text(head: str) -> str:
    """A table that is called as other text is."""
    columns = columns_of(re.split(r"[,;\t|]", head.partition("\n")[0]))
    return "this text is a table: call it .csv" if columns.is_table else ""


def _json(head: str) -> str:
    """The keys of a JSON's first object."""
    keys = list(dict.fromkeys(re.findall(r'"([^"\\]{1,40})"\s*:', head)))
    return f"this JSON is of no label format that we know ({_quoted(keys)})" if keys else ""


def _xml(head: str) -> str:
    """The first element of an XML text."""
    found = re.search(r"<([A-Za-z][\w:.-]{0,40})", head)
    return f"this XML is of no label format that we know (it begins with <{found[1]}>)" if found else ""


def _quoted(words: Sequence[str]) -> str:
    return ", ".join(words[:SHOWN]) + (" …" if len(words) > SHOWN else "")


TABLE_CURE = "Write a CSV with the columns image, class, x1, y1, x2, y2, or export the labels as YOLO or COCO."
DESCRIBED: Mapping[str, Callable[[str], str]] = {
    ".csv": _table,
    ".tsv": _table,
    ".txt": _text,
    ".json": _json,
    ".jsonl": _json,
    ".xml": _xml,
}


def is_named(known: NamedFormat, head: str) -> bool:
    """Whether a file that begins so is of the format."""
    return all(re.search(pattern, head) for pattern in known.patterns)


def is_other_text(folder: Folder, name: str) -> bool:
    """Whether a text file beside photos is a label of another format than YOLO."""
    head = head_of(folder, name)
    return any(is_named(known, head) for known in NAMED if known.endings == (".txt",))

"""Files as people really have them: each is read as its maker meant it, or refused with a sentence that says why."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.data.checks import HINTS, require_clean
from core.data.dataset import read_dataset
from core.data.types import Dataset
from core.errors import UserError
from core.settings import DataSettings
from tests.core.data.wild import (
    cases_coco,
    cases_formats,
    cases_lists,
    cases_rows,
    cases_table,
    cases_tools,
    cases_voc,
    cases_yolo,
)
from tests.core.data.wild.kit import CASES, Case, Reads

# Importing them registers their cases.
MODULES = (cases_coco, cases_formats, cases_lists, cases_rows, cases_table, cases_tools, cases_voc, cases_yolo)


def opened(case: Case, root: Path) -> Dataset:
    """The set as a run would get it. Raises UserError where none would start."""
    handed = case.write(root) or root
    settings = {key: str(root / value) if key == "taxonomy" else value for key, value in case.settings.items()}
    data = DataSettings(path=str(handed), **settings)
    dataset = read_dataset(data, root / "no-sample-data")
    require_clean(dataset, data)
    return dataset


def check_read(dataset: Dataset, expected: Reads) -> None:
    assert dataset.format == expected.format
    labelled = min((photo for photo in dataset.photos if photo.objects), key=lambda photo: photo.name)
    first = labelled.objects[0]
    if expected.class_name:
        said = f"{first.object_type} {first.condition}"
        assert said.startswith(expected.class_name)
    if expected.box:
        found = [end * side for end, side in zip(first.box_xyxy, labelled.size_wh * 2, strict=True)]
        assert found == pytest.approx(expected.box, abs=0.1)
    if expected.objects is not None:
        assert sum(len(photo.objects) for photo in dataset.photos) == expected.objects
    if expected.splits:
        assert {name: len(dataset.split(name)) for name in expected.splits} == expected.splits
    if expected.flights is not None:
        assert len({photo.group for photo in dataset.photos}) == expected.flights
    hints = "\n".join(str(problem) for problem in dataset.problems if problem.kind in HINTS)
    assert [pattern for pattern in expected.told if not re.search(pattern, hints)] == [], hints


@pytest.mark.parametrize("name", CASES)
def test_a_case_is_read_as_it_was_meant_or_refused_with_its_reason(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    (tmp_path / name).mkdir()
    if isinstance(case.expected, Reads):
        check_read(opened(case, tmp_path / name), case.expected)
        return
    with pytest.raises(UserError) as refused:
        opened(case, tmp_path / name)
    said = str(refused.value)
    assert [pattern for pattern in case.expected.said if not re.search(pattern, said)] == [], said
    assert [pattern for pattern in case.expected.not_said if re.search(pattern, said)] == [], said


def test_every_file_of_cases_has_some() -> None:
    written = {case.write.__module__ for case in CASES.values()}
    assert {module.__name__ for module in MODULES} == written

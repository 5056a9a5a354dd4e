"""Every label format has one file and one line in the registry, and is chosen by name or recognised."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.data.files import list_files
from core.data.formats import registry
from core.errors import UserError
from core.settings import FIELDS

FOLDER = Path(registry.__file__).parent
# What readers share.
HELPERS = {"__init__", "base", "registry", "gather", "named", "shapes", "table_columns", "xml_nodes"} | {
    "split_lists",
    "yolo_config",
    "yolo_rows",
}


def test_every_format_file_is_registered_under_its_name() -> None:
    files = {path.stem for path in FOLDER.glob("*.py")} - HELPERS
    assert files == set(registry.FORMATS)
    assert all(reader.name == name for name, reader in registry.FORMATS.items())


def test_the_setting_offers_what_the_registry_reads() -> None:
    assert FIELDS["data.format"].choices == ("auto", *registry.FORMATS)


def test_a_sentence_names_every_format() -> None:
    assert all(reader.title in registry.FORMATS_TEXT for reader in registry.FORMATS.values())


@pytest.mark.parametrize("wanted", list(registry.FORMATS))
def test_a_format_that_does_not_lie_there_is_refused_by_name(tmp_path: Path, wanted: str) -> None:
    (tmp_path / "notes.md").write_text("nothing to read")
    with pytest.raises(UserError, match="no labels"):
        registry.require_format(list_files(tmp_path), wanted)


def test_what_lies_there_instead_is_said(tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text("names: [drain]\n")
    assert registry.recognise(list_files(tmp_path)) is None
    assert registry.require_format(list_files(tmp_path)).name == "yolo"
    with pytest.raises(UserError, match="auto or yolo"):
        registry.require_format(list_files(tmp_path), "coco")

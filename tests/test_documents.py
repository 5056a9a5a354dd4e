"""The documents answer a newcomer's questions, name what is there, and lose no figure's command."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README_LINES = 160
FILE_ENDINGS = {"py", "html", "css", "js", "json", "jsonl", "yaml", "md"}
SHIPPED = ("core", "damgui", "models")
FIGURES = sorted(path for folder in SHIPPED for path in (ROOT / folder).rglob("FIGURES.md"))
FOLDER_READMES = sorted(path for folder in ("core", "damgui", "tests") for path in (ROOT / folder).rglob("README.md"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *FIGURES, ROOT / "models" / "README.md"]


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def the_map() -> dict[str, str]:
    """The README's map: a path of the project -> what its line says."""
    (block,) = re.findall(r"## Map.*?```\n(.*?)```", read(ROOT / "README.md"), re.S)
    found: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in block.splitlines():
        indent = len(line) - len(line.lstrip())
        above = [(depth, name) for depth, name in above if depth < indent]
        names, _, text = line.strip().partition("   ")
        for name in names.split():
            found["".join(heading for _, heading in above) + name] = text.strip()
        above.append((indent, names.split()[0]))
    return found


def test_the_readme_stays_short() -> None:
    assert len(read(ROOT / "README.md").splitlines()) <= README_LINES


def test_the_map_names_what_is_there() -> None:
    assert [name for name in the_map() if not (ROOT / name).exists()] == []
    assert len(the_map()) > 25


# What a newcomer asks: the words of it, where the map sends him, and what stands in that folder or file.
QUESTIONS = [
    ("smoothing", "damgui/loss_series.py", r"^SMOOTHING\b"),
    ("0-1000 boxes", "core/families.py", r"^FAMILIES\b"),
    ("a label format is one file", "core/data/formats/", r"^FORMATS\b"),
    ("one entry per model family", "core/families.py", r"qwen3_vl"),
    ("fits the temperature", "core/metrics/", r"^def fit\w*\("),
    ("finished, failed, lost", "core/runs/", r"^def status\("),
]


@pytest.mark.parametrize(("words", "place", "what"), QUESTIONS, ids=[words for words, _, _ in QUESTIONS])
def test_a_newcomers_question_is_answered_in_two_steps(words: str, place: str, what: str) -> None:
    assert words in the_map()[place]
    target = ROOT / place
    files = sorted(target.glob("*.py")) if target.is_dir() else [target]
    assert any(re.search(what, read(file), re.M) for file in files)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_file_a_document_names_is_there(path: Path) -> None:
    named = set(re.findall(r"`((?:core|damgui|configs|tests|models)/[\w./-]*\w)`", read(path)))
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def words_of(*places: Path) -> set[str]:
    """Every word in the code of these files and folders, and the names of their files."""
    files = [path for place in places for path in ([place] if place.is_file() else place.rglob("*"))]
    code = [path for path in files if path.suffix in {".py", ".html", ".js", ".css", ".yaml"}]
    return {path.stem for path in code} | {word for path in code for word in re.findall(r"\w+", read(path))}


def named_files(text: str, folder: Path) -> list[Path]:
    """The files that a text names, by their path in the project or in the document's folder."""
    places = [base / name for name in re.findall(r"`([\w./-]+\.\w+)`", text) for base in (folder, ROOT)]
    return [path for path in places if path.is_file()]


# A word, perhaps with what it belongs to before it and a call after it: `fit`, `document._sections`, `counting()`.
NAME = r"`(?:\w+\.)*[A-Za-z_]\w*(?:\(\))?`"
NAMES_OF_A_FILE = re.compile(rf"({NAME}(?:(?:,\s|\sand\s){NAME})*)\s(?:of|in)\s`([\w./-]+\.py)`")
FILES_ROW = re.compile(r"^\| `([\w./-]+\.py)` \|(.*)$", re.M)


def wrong_places(text: str, folder: Path) -> list[str]:
    """The names that are not where a document says: "`NAME` of `file.py`", or beside the file in a table."""
    said = [*NAMES_OF_A_FILE.findall(text), *((row, file) for file, row in FILES_ROW.findall(text))]
    found = []
    for names, file in said:
        known = words_of(*named_files(f"`{file}`", folder)[:1])
        spoken = [name.strip("`()").rpartition(".") for name in re.findall(NAME, names)]
        found += [f"{name} of {file}" for _, _, name in spoken if name not in known and name not in FILE_ENDINGS]
    return found


@pytest.mark.parametrize("path", [*DOCUMENTS, *FOLDER_READMES], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_name_stands_in_the_file_that_a_document_names_with_it(path: Path) -> None:
    assert wrong_places(read(path), path.parent) == []


def test_a_name_that_is_elsewhere_is_found_out() -> None:
    folder = ROOT / "core" / "engine" / "reference_points"
    assert wrong_places("its note in `LABELS` and `measure` of `run.py`", folder) == ["LABELS of run.py"]
    assert wrong_places("`POINTS` of\n`core/metrics/reference_points.py`", folder) == []
    assert wrong_places("| `rows.py` | guessing, `prior_rows` and `gone` |", folder) == ["gone of rows.py"]


@pytest.mark.parametrize("path", FOLDER_READMES, ids=lambda path: path.parent.relative_to(ROOT).as_posix())
def test_every_name_in_a_folders_readme_is_a_word_of_its_code(path: Path) -> None:
    text = read(path)
    known = words_of(path.parent, *named_files(text, path.parent))
    known |= {place.stem for package in ("core", "damgui") for place in (ROOT / package).rglob("*")}
    assert [name for name in re.findall(r"`([A-Za-z_]\w*)(?:\(\))?`", text) if name not in known] == []


def test_every_test_that_a_document_names_is_there() -> None:
    tests = words_of(ROOT / "tests")
    named = {name for path in (*DOCUMENTS, *FOLDER_READMES) for name in re.findall(r"`(test_\w+)`", read(path))}
    assert named - tests == set()


def test_every_table_of_figures_says_which_command_measures_it() -> None:
    assert [path.parent.relative_to(ROOT).as_posix() for path in FIGURES] == [
        "core/bench",
        "core/data",
        "core/engine",
        "core/metrics",
        "damgui",
        "models",
    ]
    command = re.compile(r"`(?:damgui|python -m) [\w.-]+")
    for path in FIGURES:
        for section in re.split(r"^## ", read(path), flags=re.M)[1:]:
            assert "|---|" not in section or command.search(section), (path, section.splitlines()[0])


def test_the_changelog_tells_of_this_version_and_of_what_comes() -> None:
    version = tomllib.loads(read(ROOT / "pyproject.toml"))["project"]["version"]
    headings = re.findall(r"^## \[(.+?)\](?: - \d{4}-\d\d-\d\d)?$", read(ROOT / "CHANGELOG.md"), re.M)
    assert headings[:2] == ["Unreleased", version]


@pytest.mark.parametrize("thing", ["label format", "model family", "tab", "setting", "reference point", "event"])
def test_contributing_says_how_to_add(thing: str) -> None:
    assert re.search(rf"^\*\*… an? {thing}\.?\*\*", read(ROOT / "CONTRIBUTING.md"), re.M)

"""Coverage-guided fuzzing of the label readers: whatever lies in a folder, a reader hands over a set or a sentence.

    pip install atheris
    python -m tests.core.data.fuzz --reader yolo --minutes 5

libFuzzer, by way of Atheris, changes folders that the cases of `wild` hold, one text for a whole folder, and keeps what
reaches new code. A folder goes the whole way from recognising its format to checked objects. An exception that is no
`UserError` is a fault: each is printed once, with the folder that caused it. It begins anew every time; the faults that
were found stand as tests.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

NAME = re.compile(rb"(?m)^=== ([\w .()/-]{1,80})$\n?")
MOST_BYTES, SLOW_S = 5_000, 20
FORMATS_FOLDER = Path(__file__).parents[3] / "core/data/formats"


def packed(root: Path) -> bytes:
    """A folder as one text: a line with the name of every file, followed by what stands in it; photos are empty."""
    from core.data.files import is_photo

    parts = []
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        name = path.relative_to(root).as_posix()
        parts.append(f"=== {name}\n".encode() + (b"" if is_photo(name) else path.read_bytes()))
    return b"\n".join(parts)


def unpacked(blob: bytes, root: Path) -> list[str]:
    """The names of a packed folder's files, whose texts are written below `root`."""
    parts = NAME.split(blob)
    texts = {name.decode(): text for name, text in zip(parts[1::2], parts[2::2], strict=True)}
    names = []
    for name, text in texts.items():
        path = root / name
        if os.path.normpath(name) == name and ".." not in name and not name.startswith("/"):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text)
                names.append(name)
            except OSError:  # a file stands where a folder is wanted
                continue
    return sorted(names)


def read_all(blob: bytes, reader: str) -> None:
    """Take a packed folder the whole way. Raises what is a fault; UserError is none."""
    from core import taxonomy
    from core.data.checks import check_photos
    from core.data.files import Folder
    from core.data.formats.registry import FORMATS, not_used, read_labels, recognised_beside, require_format
    from core.data.photos import PhotoFacts
    from core.data.readings import settle
    from core.errors import UserError

    root = Path(tempfile.mkdtemp(dir=os.environ.get("FUZZ_FOLDER")))
    try:
        folder = Folder(root, tuple(unpacked(blob, root)))
        with contextlib.suppress(UserError):
            require_format(folder)
        raw = read_labels(folder, FORMATS[reader])
        facts = {photo.name: PhotoFacts((320, 240), photo.name, 1) for photo in raw.photos}
        settled, _ = settle(raw.photos, facts)
        check_photos(root, settled, facts, taxonomy.load())
        not_used(folder, raw, recognised_beside(folder, reader))
    except UserError:
        pass
    finally:
        shutil.rmtree(root, ignore_errors=True)


def write_seeds(reader: str, into: Path) -> None:
    """The folders of all cases that are of the reader's format, and of the tables of `test_any_file`."""
    import json

    from tests.core.data.formats.test_any_file import LABELLED, TEXTS
    from tests.core.data.wild.kit import CASES, Reads
    from tests.core.data.wild.test_wild import MODULES

    assert MODULES  # importing them registers their cases
    texts = {name: json.dumps(tree) for name, tree in LABELLED.get(reader, {}).items()} | TEXTS.get(reader, {})
    seeds = [b"\n".join([b"=== a.jpg", *(f"=== {name}\n{text}".encode() for name, text in texts.items())])]
    for case in CASES.values():
        if isinstance(case.expected, Reads) and case.expected.format == reader:
            with tempfile.TemporaryDirectory() as made:
                case.write(Path(made))
                seeds.append(packed(Path(made)))
    for number, seed in enumerate(seeds):
        if len(seed) <= MOST_BYTES:
            (into / f"seed{number}").write_bytes(seed)


def write_words(reader: str, into: Path) -> None:
    """The texts in the reader's code, which are what its format calls things, as a dictionary for libFuzzer."""
    trees = (ast.parse(path.read_text()) for path in FORMATS_FOLDER.glob(f"{reader}*.py"))
    nodes = (node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    words = {word for word in nodes if isinstance(word, str) and re.fullmatch(r"[\w .,:<>/-]{1,30}", word)}
    into.write_text("".join(f'"{word}"\n' for word in sorted(words) if word.isascii()))


def fuzz(reader: str, corpus: Path, seconds: int) -> None:
    """Run libFuzzer in this process, which it ends."""
    import atheris  # type: ignore[import-not-found, unused-ignore]

    with atheris.instrument_imports(include=["core.data"]):
        import core.data.checks
        import core.data.formats.registry
        import core.data.readings  # noqa: F401
    seen: set[str] = set()

    def one(blob: bytes) -> None:
        began = time.monotonic()
        try:
            read_all(blob, reader)
            fault = "slow" if time.monotonic() - began > SLOW_S else ""
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            fault = f"{type(error).__name__} at {Path(last.filename).name} line {last.lineno}"
        if fault and fault not in seen:
            seen.add(fault)
            (corpus.parent / f"fault{len(seen)}").write_bytes(blob)
            print(f"FAULT {fault}: {error_text(blob, reader)}", flush=True)

    options = [
        f"-max_total_time={seconds}",
        f"-max_len={MOST_BYTES}",
        "-timeout=60",
        "-rss_limit_mb=1500",
        f"-dict={corpus.parent / 'words'}",
    ]
    atheris.Setup([sys.argv[0], *options, "-print_final_stats=1", "-verbosity=0", str(corpus)], one)
    atheris.Fuzz()


def error_text(blob: bytes, reader: str) -> str:
    """The end of the traceback that a packed folder causes."""
    try:
        read_all(blob, reader)
    except Exception:
        return "".join(traceback.format_exc().splitlines(keepends=True)[-7:])
    return "only once"


def covered(reader: str, corpus: Path) -> tuple[int, int]:
    """Lines of the reader's files that the kept folders reach, and all of them."""
    files = {str(path) for path in FORMATS_FOLDER.glob(f"{reader}*.py")}
    reached: set[tuple[str, int]] = set()

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename not in files:
            return None
        reached.add((frame.f_code.co_filename, frame.f_lineno))
        return trace

    blobs = [path.read_bytes() for path in corpus.iterdir()]
    sys.settrace(trace)
    for blob in blobs:
        read_all(blob, reader)
    sys.settrace(None)
    every = {(file, line) for file in files for line in _lines(compile(Path(file).read_text(), file, "exec"), True)}
    return len(reached & every), len(every)


def _lines(code: CodeType, is_module: bool = False) -> Iterator[int]:
    """The lines of all functions in a file; what runs at its import is left out."""
    if not is_module:
        yield from (line for _, _, line in code.co_lines() if line and line != code.co_firstlineno)
    for constant in code.co_consts:
        if isinstance(constant, CodeType) and not constant.co_name.isupper():
            yield from _lines(constant)


def main() -> None:
    """Fuzz one reader, or all in turn, each in a process of its own, and print a line of figures for each."""
    from core.data.formats.registry import FORMATS

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--reader", choices=[*FORMATS, "all"], default="all")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--corpus", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.corpus:
        fuzz(given.reader, given.corpus, round(60 * given.minutes))
        return
    for reader in FORMATS if given.reader == "all" else [given.reader]:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as made:
            corpus = Path(made) / "corpus"
            corpus.mkdir()
            write_seeds(reader, corpus)
            write_words(reader, corpus.parent / "words")
            command = [sys.executable, "-m", "tests.core.data.fuzz", "--corpus", str(corpus)]
            run = subprocess.run(
                [*command, "--reader", reader, "--minutes", str(given.minutes)], capture_output=True, text=True
            )
            faults = re.findall(r"(?ms)^FAULT .*?(?=^FAULT |^stat::|\Z)", run.stdout + run.stderr)
            runs = re.search(r"number_of_executed_units:\s*(\d+)", run.stderr + run.stdout)
            if runs is None:
                print(run.stdout[-3000:], run.stderr[-3000:])
            part, whole = covered(reader, corpus)
            print(f"| {reader} | {int(runs[1]) if runs else 0:,} | {part} of {whole} | {len(faults)} |", flush=True)
            for fault in faults:
                print(fault, flush=True)


if __name__ == "__main__":
    main()

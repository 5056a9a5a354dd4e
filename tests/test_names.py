"""Names: each is read by somebody, and means one thing."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [path for folder in ("core", "damgui") for path in sorted((ROOT / folder).rglob("*.py"))]
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in (*SOURCES, ROOT / "app.py")}
TEMPLATES = " ".join(
    path.read_text(encoding="utf-8")
    for folder in (ROOT / "damgui" / "templates", ROOT / "core" / "report")
    for path in sorted(folder.rglob("*.html"))
)
# Longer strings are sentences, in which a name is only a word.
LONGEST_NAME = 60


def defined(tree: ast.Module) -> Iterator[str]:
    """What a file defines at its top: functions, classes, constants, type aliases."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def read(tree: ast.Module) -> Iterator[str]:
    """Every name that is used; those in short strings too, where a name is looked up or patched."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < LONGEST_NAME:
            yield from re.findall(r"\w+", node.value)


def test_no_name_is_defined_that_the_product_does_not_read() -> None:
    """A name that only tests read is dead: the tests then prove what nobody needs."""
    counted = Counter(name for tree in TREES.values() for name in read(tree))
    counted.update(re.findall(r"\w+", TEMPLATES))
    unread = {
        f"{path.relative_to(ROOT)}: {name}"
        for path, tree in TREES.items()
        for name in defined(tree)
        if not name.startswith("__") and not counted[name]
    }
    assert unread == set()


def test_no_class_has_the_name_of_another() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path, tree in TREES.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}

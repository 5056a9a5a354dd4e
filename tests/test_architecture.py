"""The layers of the code: who may import whom, what starts without torch, what a folder's README has to name."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"torch", "transformers", "peft", "accelerate"}
TERMINAL = {"argparse", "curses", "readline", "rich", "tqdm"}
SOURCES = sorted([*ROOT.glob("core/**/*.py"), *ROOT.glob("damgui/**/*.py"), ROOT / "app.py"])
FILE_LINES = 400
FOLDER_README_LINES = 40
# A folder of more files than this says in a README.md what stands where.
FEW_FILES = 5

# A process starts without torch and imports the engine when it begins to work: these imports do not count.
ENTRIES = {
    ("core.runs.worker", "core.engine"),
    ("core.runs.worker", "core.demo"),
    ("core.runs.prediction_server", "core.engine"),
    ("core.data.reader", "core.demo"),
}
Graph = Mapping[str, set[str]]


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


NAMES = {name_of(path): path for path in SOURCES}


@cache
def imports(name: str) -> frozenset[str]:
    """Dotted names of the files and libraries that a file imports, at its top or when it is called."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(NAMES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module and not node.level, f"{name} line {node.lineno}: write the whole name"
            parts = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {part if part in NAMES else node.module for part in parts}
    return frozenset(found)


def among(names: Iterable[str], *packages: str) -> set[str]:
    """Those of the names that are one of the packages or lie in one."""
    return {name for name in names if name.startswith(tuple(f"{package}." for package in packages)) or name in packages}


def offenders(names: Iterable[str], unwanted: Callable[[str], set[str]]) -> dict[str, list[str]]:
    """What is imported against a rule: {file: names}, without the files that keep it."""
    return {name: sorted(found) for name in names if (found := unwanted(name))}


def arrows() -> Iterator[tuple[str, str]]:
    """From file to file: (who imports, what is imported), but for the entries."""
    for name in NAMES:
        for target in imports(name) & set(NAMES) - {name}:
            is_entry = any(name == entry and among([target], package) for entry, package in ENTRIES)
            if not is_entry:
                yield name, target


def graph(place: Callable[[str], str]) -> Graph:
    """The imports between places, where `place(file)` is the place of a file."""
    found: dict[str, set[str]] = defaultdict(set)
    for start, end in arrows():
        if place(start) != place(end):
            found[place(start)].add(place(end))
    return found


def reachable(found: Graph, start: str) -> set[str]:
    seen: set[str] = set()
    ahead = [start]
    while ahead:
        for place in found.get(ahead.pop(), set()) - seen:
            seen.add(place)
            ahead.append(place)
    return seen


def circles(found: Graph) -> dict[str, list[str]]:
    """The imports that lie on a cycle: {from: to}."""
    behind = {place: reachable(found, place) for place in found}
    turned = {place: sorted(end for end in found[place] if place in behind.get(end, set())) for place in found}
    return {place: ends for place, ends in turned.items() if ends}


def package_of(name: str) -> str:
    """A package is a folder of core or damgui with all that lies in it; a file beside them is one by itself."""
    return ".".join(name.split(".")[:2])


def test_there_are_sources_to_judge() -> None:
    assert len(SOURCES) > 30


def test_the_engine_knows_nothing_of_the_page() -> None:
    assert offenders(among(NAMES, "core"), lambda name: among(imports(name), "damgui", "gradio", "plotly")) == {}


def test_the_engine_knows_nothing_of_the_terminal() -> None:
    a_command_of_its_maker = {"core.demo.base_model"}
    known = among(NAMES, "core") - a_command_of_its_maker
    assert offenders(known, lambda name: among(imports(name), *TERMINAL)) == {}


def test_of_the_makers_the_product_takes_the_drawn_sample_set_alone() -> None:
    def tools(name: str) -> set[str]:
        return among(imports(name), "core.bench", "core.demo") - {"core.demo.sample_set"}

    product = set(NAMES) - among(NAMES, "core.bench", "core.demo") - {"damgui.cli.commands"}  # `damgui bench`
    assert offenders(product, tools) == {}


def test_only_the_engine_folder_imports_torch() -> None:
    makes_the_small_models = ("core.demo.base_model", "core.demo.texture")
    light = set(NAMES) - among(NAMES, "core.engine", "core.bench", *makes_the_small_models)
    assert offenders(light, lambda name: among(imports(name), *HEAVY)) == {}


def test_the_page_never_reaches_into_the_engine() -> None:
    assert offenders(among(NAMES, "damgui"), lambda name: among(imports(name), "core.engine")) == {}


def test_tabs_never_import_tabs_and_nothing_below_the_page_imports_them() -> None:
    def above(name: str) -> set[str]:
        found = among(imports(name), "damgui.tabs", "damgui.page") - {"damgui.tabs"}
        if among([name], "damgui.tabs"):
            return found - among(found, ".".join(name.split(".")[:3]))
        return found

    assert offenders(among(NAMES, "damgui") - {"damgui.page", "damgui.cli.commands"}, above) == {}


def test_no_file_is_on_a_circle_of_imports() -> None:
    assert circles(graph(lambda name: name)) == {}


def test_packages_form_no_circle() -> None:
    assert circles(graph(package_of)) == {}


def test_a_circle_is_seen_and_a_chain_is_not_taken_for_one() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == {"b": ["c"], "c": ["b"]}
    assert circles({"a": {"b", "c"}, "b": {"c"}}) == {}


def test_torch_is_not_loaded_by_what_starts_at_once() -> None:
    modules = ["core.data.reader", "core.runs.worker", "damgui.cli.commands", "damgui.page"]
    code = (
        "import importlib, sys\n"
        f"for name in {modules}:\n"
        f"    importlib.import_module(name)\n    print(name, sorted({HEAVY - {'accelerate'}} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-len(modules) :] == [f"{name} []" for name in modules]


# What `core.runs.files` does with patience and for long paths. A path's `replace` takes one argument, a string's two.
RAW = {"os": {"replace", "rename", "renames", "unlink", "remove", "rmdir", "removedirs"}, "shutil": {"rmtree", "move"}}
RAW_OF_A_PATH = {"rename", "unlink", "rmdir"}


def raw_moves(tree: ast.AST) -> set[str]:
    """Where a file moves or removes files by the bare calls of the system: "line: call"."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in RAW:
            found |= {f"{node.lineno}: {alias.name}" for alias in node.names if alias.name in RAW[node.module]}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in RAW:
            found |= {f"{node.lineno}: {node.attr}"} if node.attr in RAW[node.value.id] else set()
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            one = len(node.args) == 1 and not node.keywords
            if node.func.attr in RAW_OF_A_PATH or (node.func.attr == "replace" and one):
                found.add(f"{node.lineno}: {node.func.attr}")
    return found


def test_runs_and_engine_move_and_remove_files_by_the_patient_calls_alone() -> None:
    names = among(NAMES, "core.runs", "core.engine", "core.demo.sample_set") - {"core.runs.files"}
    assert offenders(names, lambda name: raw_moves(ast.parse(NAMES[name].read_text(encoding="utf-8")))) == {}


def test_a_raw_call_is_seen_and_text_and_patient_calls_are_not_taken_for_one() -> None:
    raw = "os.replace(a, b)\nPath(a).replace(b)\na.unlink(missing_ok=True)\nact(shutil.rmtree)\nfrom os import rename"
    numbers = sorted(line.split(":")[0] for line in raw_moves(ast.parse(raw)))
    assert numbers == ["1", "2", "3", "4", "5"]
    fine = "a.replace(' ', '-')\nreplace(a, b)\nfiles.remove(a)\nnames.remove(a)\ndataclasses.replace(a, b=1)"
    assert raw_moves(ast.parse(fine)) == set()


def test_a_file_holds_one_idea() -> None:
    lines = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in NAMES.items()}
    assert {name: count for name, count in lines.items() if count > FILE_LINES} == {}


def folders() -> dict[str, list[str]]:
    """The product's folders that want a README, with the names that it has to name; the README itself is not counted.

    Folders of tests want none: they mirror the product, and tests/README.md stands for all of them. Nor do the models:
    their files are those of every model, and models/README.md says what the models are.
    """
    held: dict[str, list[str]] = defaultdict(list)
    for path in (path for top in ("core", "damgui", "configs") for path in sorted((ROOT / top).rglob("*.*"))):
        is_passed_over = path.suffix in {".md", ".pyc"} or path.name == "__init__.py"
        if path.is_file() and not is_passed_over:
            held[path.parent.relative_to(ROOT).as_posix()].append(path.name)
    return {folder: names for folder, names in held.items() if len(names) > FEW_FILES}


def faults(folder: str, names: list[str]) -> list[str]:
    """What a folder's README leaves to wish for."""
    path = ROOT / folder / "README.md"
    if not path.is_file():
        return ["there is no README.md"]
    text = path.read_text(encoding="utf-8")
    found = [f"it does not name {name}" for name in names if f"`{name}`" not in text]
    lines = len(text.splitlines())
    return [*found, *([f"{lines} lines, more than {FOLDER_README_LINES}"] if lines > FOLDER_README_LINES else [])]


def test_a_folder_of_many_files_says_what_stands_where() -> None:
    found = {folder: faults(folder, names) for folder, names in folders().items()}
    assert {folder: listed for folder, listed in found.items() if listed} == {}


def test_the_readme_of_the_tests_stands_for_all_their_folders() -> None:
    tests = ROOT / "tests"
    helpers = [path.relative_to(tests) for path in tests.rglob("*.*") if path.suffix in {".py", ".sh"}]
    top = [path.name for path in helpers if path.parent == Path()]
    below = [path.as_posix() for path in helpers if not path.name.startswith(("test_", "conftest", "__init__"))]
    assert faults("tests", sorted({*top, *below})) == []


def test_the_top_level_is_what_was_agreed() -> None:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this is not a git checkout, so what belongs to the project is not known")
    wanted = {"README.md", "pyproject.toml", "app.py", "damgui", "core", "configs", "models", "tests"}
    ordinary = {"Makefile", "LICENSE", ".ci", ".gitignore", ".gitattributes", "requirements.lock"}
    habits = {"CONTRIBUTING.md", "CHANGELOG.md", "start.bat", ".pre-commit-config.yaml"}
    found = {line.split("/")[0] for line in done.stdout.splitlines()}
    assert found - ordinary - habits == wanted

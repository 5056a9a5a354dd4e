"""The arrows of the README, held by the code: who may import whom, and what starts without torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"torch", "transformers", "peft", "accelerate"}
SOURCES = sorted([*ROOT.glob("core/**/*.py"), *ROOT.glob("damgui/**/*.py"), ROOT / "app.py"])


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path, module_level_only: bool = False) -> set[str]:
    """Dotted names that a file imports; with `module_level_only`, those it needs before anything is called."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if module_level_only else list(ast.walk(tree))
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_there_are_sources_to_judge() -> None:
    assert len(SOURCES) > 30


@pytest.mark.parametrize("path", [one for one in SOURCES if name_of(one).startswith("core")], ids=name_of)
def test_the_engine_knows_nothing_of_the_page(path: Path) -> None:
    assert not {name for name in imports(path) if name.split(".")[0] in ("damgui", "gradio", "plotly")}


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_only_the_engine_folder_imports_torch(path: Path) -> None:
    name = name_of(path)
    makes_the_small_models = ("core.demo.base_model", "core.demo.texture")
    if name.startswith(("core.engine", "core.bench")) or name in makes_the_small_models:
        return
    assert not {one for one in imports(path) if one.split(".")[0] in HEAVY}


@pytest.mark.parametrize("path", [one for one in SOURCES if name_of(one).startswith("damgui")], ids=name_of)
def test_the_page_never_reaches_into_the_engine_and_tabs_never_into_tabs(path: Path) -> None:
    found = imports(path)
    assert not {one for one in found if one.startswith("core.engine")}
    parts = name_of(path).split(".")
    if parts[:2] == ["damgui", "tabs"]:
        mine = ".".join(parts[:3])
        others = {one for one in found if one.startswith(("damgui.tabs.", "damgui.page"))}
        assert not {one for one in others if one != mine and not one.startswith(mine + ".")}
    elif name_of(path) not in ("damgui.page", "damgui.cli.commands"):
        assert not {one for one in found if one.startswith(("damgui.tabs.", "damgui.page"))}


@pytest.mark.parametrize("module", ["damgui.page", "damgui.cli.commands", "core.runs.worker", "core.data.dataset"])
def test_torch_is_not_loaded_by(module: str) -> None:
    code = f"import sys, {module}; print(sorted({{'torch', 'transformers', 'peft'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_file_holds_one_idea(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_the_top_level_is_what_was_agreed() -> None:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this is not a git checkout, so what belongs to the project is not known")
    wanted = {"README.md", "pyproject.toml", "app.py", "damgui", "core", "configs", "models", "tests"}
    ordinary = {"Makefile", "LICENSE", ".ci", ".gitignore", ".gitattributes", "requirements.lock"}
    habits = {"CONTRIBUTING.md", "CHANGELOG.md", "start.bat", ".pre-commit-config.yaml"}
    found = {line.split("/")[0] for line in done.stdout.splitlines()}
    assert found - ordinary - habits == wanted

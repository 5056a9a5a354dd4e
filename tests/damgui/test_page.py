"""The page as a whole: built without a network, every control named once, a busy port said clearly."""

from __future__ import annotations

import ast
import json
import re
import socket
from collections import Counter
from pathlib import Path

import pytest

from core.conditions import COLOURS, PRESENT
from core.errors import UserError
from core.runs import store
from core.settings import FIELDS
from core.taxonomy import load as load_taxonomy
from damgui import forms, page, theme

DAMS = load_taxonomy()

REQUIRED_IDS = (
    "go-baseline",
    "go-training",
    "go-predict",
    "data-read",
    "baseline-start",
    "baseline-stop",
    "training-start",
    "training-try",
    "training-trial",
    "training-stop",
    "training-resume",
    "training-chart",
    "training-preset",
    "training-name",
    "compare-judge",
    "ablation-variants",
    "ablation-seeds",
    "ablation-epochs",
    "ablation-start",
    "ablation-stop",
    "ablation-resume",
    "ablation-table",
    "ablation-chart",
    "ablation-use",
    "predict-drop",
    "predict-ask",
    "predict-ask-all",
    "predict-picture",
    "predict-table",
    "predict-type",
    "predict-picker",
    "batch-model",
    "batch-folder",
    "batch-start",
    "batch-stop",
    "batch-resume",
    "batch-csv",
    "batch-report",
    "baseline-report-make",
    "baseline-report-load",
    "compare-report-make",
    "compare-report-run",
)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> dict:
    return page.build(store.open_workspace(tmp_path_factory.mktemp("work"))).get_config_file()


def names(config: dict) -> list[str]:
    return [component["props"]["elem_id"] for component in config["components"] if component["props"].get("elem_id")]


def test_every_setting_has_exactly_one_widget(config: dict) -> None:
    counted = Counter(names(config))
    assert {forms.elem_id(path): counted[forms.elem_id(path)] for path in FIELDS} == {
        forms.elem_id(path): 1 for path in FIELDS
    }


def test_controls_are_named_and_no_name_comes_twice(config: dict) -> None:
    counted = Counter(names(config))
    assert [name for name, count in counted.items() if count > 1] == []
    assert set(REQUIRED_IDS) <= set(counted)


def test_every_form_widget_is_labelled(config: dict) -> None:
    kinds = ("textbox", "number", "dropdown", "checkbox", "checkboxgroup", "slider", "radio", "file")
    assert [
        component
        for component in config["components"]
        if component["type"] in kinds and not component["props"].get("label")
    ] == []


def test_nothing_is_asked_of_the_network(config: dict) -> None:
    widgets = json.dumps([component["props"] for component in config["components"]], default=str)
    served = widgets + theme.css() + theme.theme()._get_theme_css()
    hosts = set(re.findall(r"https?://([\w.-]+)", served)) - {"www.w3.org"}  # the name space of SVG is no address
    assert hosts == set()
    assert theme.theme()._stylesheets == []


def test_a_busy_port_is_one_clear_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"127\.0\.0\.1:{port}.*--port"):
            page.serve(tmp_path, port=port, open_browser=False)


def test_the_newest_run_fills_the_form(tmp_path: Path) -> None:
    from core.settings import Settings, merge

    workspace = store.open_workspace(tmp_path)
    store.create(workspace, merge(Settings(), {"lora.rank": 5}), "train", "mine")
    assert page.last_settings(workspace).lora.rank == 5


def variables(block: str) -> dict[str, str]:
    return dict(re.findall(r"--dg-([\w-]+): (#[0-9a-f]{6})", block))


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "ground"),
    [
        ("ink", "card"),
        ("ink", "ground"),
        ("muted", "card"),
        ("muted", "ground"),
        ("good", "good-soft"),
        ("warn", "warn-soft"),
        ("bad", "bad-soft"),
        ("accent-ink", "accent-soft"),
        ("muted", "accent-soft"),
    ],
)
def test_text_can_be_read_in_light_and_dark(mode: str, ink: str, ground: str) -> None:
    light, dark = theme.css().split(".dark,", 1)
    colours = variables(light if mode == "light" else dark.split("}", 1)[0])
    assert theme.contrast(colours[ink], colours[ground]) >= 4.5


@pytest.mark.parametrize(
    "fill",
    [
        *(condition.colour for condition in DAMS.legend),
        theme.GOOD,
        theme.WARN,
        theme.BAD,
        theme.WATER,
        theme.CLAY,
        theme.SLATE,
        theme.PLUM,
    ],
)
@pytest.mark.parametrize("ground", ["#ffffff", "#17212b"])
def test_lines_and_bars_stand_out_from_both_backgrounds(fill: str, ground: str) -> None:
    assert theme.contrast(fill, ground) >= 2.2  # bars are wide, hatched and labelled: less than text needs


@pytest.mark.parametrize("fill", [*COLOURS, PRESENT.colour, "#000000", "#ffffff", "#ffff00", "#0000ff", "#808080"])
def test_a_conditions_name_can_be_read_whatever_its_colour_is(fill: str) -> None:
    light, dark = theme.inks(fill)
    for ink, card in ((light, theme.LIGHT_CARD), (dark, theme.DARK_CARD)):
        assert theme.contrast(ink, theme.mixed(fill, card, theme.SOFT)) >= 4.5
        assert f"--dg-card: {card}" in theme.css()


def test_no_handler_answers_with_an_empty_mapping() -> None:
    """Gradio takes one for a value, and with several outputs for an error; UNCHANGED says that all stays."""
    found = []
    for path in sorted(Path(page.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef) or ast.unparse(node.returns or ast.Constant("")) != "Updates":
                continue
            if any("guarded" in ast.unparse(decorator) for decorator in node.decorator_list):
                continue  # it puts a message in
            answers = [
                ast.unparse(part.value) for part in ast.walk(node) if isinstance(part, ast.Return) and part.value
            ]
            found += [f"{path.name}: {answer}" for answer in answers if answer == "{}" or answer.startswith("{} if")]
    assert found == []

"""What a user gets wrong is told in one clear sentence where it happened; everything is reached by keyboard."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from clicks import STEP_S, App, field_of, newest, one_page, serve, tab, visit, write
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from core.data.checks import SAME_FILE
from core.data.dataset import read_dataset
from core.settings import DataSettings
from damgui import text
from damgui.forms import elem_id
from damgui.tabs.predict import text as predict_text

NAMES = ["Toe drain", "Toe drain- blocked", "Spillway cracked"]
# What is wrong with each photo of the folder: its label lines, and the words that the page must say about it.
FAULTS = {
    "a_00": (["0 .5 .5 .2 .2", "1 .3 .3 .1 .1"], ""),
    "a_01": (["0 .5 .5 .2 .2"], ""),
    "a_02": (["2 .5 .5 .2 .2"], "Spillway cracked"),
    "a_03": (["0 1.2 .5 .5 .2"], "beyond"),
    "a_04": (["0 .5 .5"], "a_04.txt line 1"),
    "a_05": (["0 .5 .5 .2 .2"], "a_05.jpg"),
    "a_06": (["7 .5 .5 .2 .2"], "class 7"),
    "a_07": (["0 .5 .5 0 .2"], "no width"),
    "a_08": (["0 .5 .5 .2 .2"], ""),
}


@pytest.fixture(scope="module")
def own_app(tmp_path_factory: pytest.TempPathFactory, few_photos: Path) -> Iterator[App]:
    """An app of its own: what is got wrong here must not disturb the others' results."""
    workspace = tmp_path_factory.mktemp("careless")
    shutil.copytree(few_photos, workspace / "sample-data")
    served = serve(workspace)
    yield served
    served.close()


@pytest.fixture(scope="module")
def visited(own_app: App, browser: Browser) -> Iterator[Page]:
    with one_page(browser, own_app.url) as opened:
        yield opened


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """A YOLO folder with faults of every kind."""
    for split, names in (("train", list(FAULTS)), ("valid", ["b_00"])):
        for folder in ("images", "labels"):
            (tmp_path / split / folder).mkdir(parents=True)
        for place, name in enumerate(names):
            picture = Image.effect_noise((96, 72), 40 + place).convert("RGB")
            picture.save(tmp_path / split / "images" / f"{name}.jpg")
            lines = FAULTS[name][0] if name in FAULTS else ["0 .4 .4 .2 .2", "1 .7 .7 .2 .2"]
            (tmp_path / split / "labels" / f"{name}.txt").write_text("\n".join(lines) + "\n")
    images = tmp_path / "train" / "images"
    (images / "a_05.jpg").write_bytes((images / "a_05.jpg").read_bytes()[:400])
    shutil.copy(images / "a_01.jpg", images / "a_08.jpg")
    (tmp_path / "data.yaml").write_text(f"train: train/images\nval: valid/images\nnames: {json.dumps(NAMES)}\n")
    return tmp_path


def refuse(message: Locator, expected: str | re.Pattern[str], count: int = 1) -> None:
    """A message panel says this; it holds so many sentences of problems and no traceback."""
    expect(message.locator("[role=alert]")).to_contain_text(expected, timeout=20_000)
    assert message.locator("p").count() == count
    shown = message.inner_text()
    assert "Traceback" not in shown and "Error:" not in shown


def choose_folder(page: Page, folder: str) -> None:
    tab(page, text.TAB_DATA)
    page.locator("#data-source input[type=radio]").last.check()
    field_of(page, elem_id("data.path")).wait_for(state="visible")
    write(page, elem_id("data.path"), folder)


@pytest.mark.parametrize(("folder", "expected"), [("/nowhere/at/all", "/nowhere/at/all"), ("", "data.path")])
def test_a_wrong_folder(visited: Page, folder: str, expected: str) -> None:
    choose_folder(visited, folder)
    visited.locator("#data-read").click()
    refuse(visited.locator("#data-message"), expected)
    visited.locator("#data-source input[type=radio]").first.check()


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("lora.rank", "0", r"lora\.rank.*1 to"),
        ("training.learning_rate", "-1", r"training\.learning_rate"),
        ("training.epochs", "100000", r"training\.epochs"),
    ],
)
def test_a_bad_value_is_told_with_setting_and_range(
    own_app: App, visited: Page, setting: str, value: str, expected: str
) -> None:
    tab(visited, text.TAB_TRAINING)
    good = field_of(visited, elem_id(setting)).input_value()
    write(visited, elem_id(setting), value)
    visited.locator("#training-start").click()
    refuse(visited.locator("#training-message"), re.compile(expected, re.S))
    expect(visited.locator("#training-start")).to_be_enabled()
    assert newest(own_app.workspace, "train") is None
    write(visited, elem_id(setting), good)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("", text.RUN_NAME_MISSING), ("../up", "'../up' cannot be a name"), ("taken", "taken is already there")],
)
def test_a_name_that_is_bad_or_taken(own_app: App, visited: Page, name: str, expected: str) -> None:
    (own_app.workspace / "models" / "taken_final").mkdir(parents=True, exist_ok=True)
    tab(visited, text.TAB_TRAINING)
    write(visited, "training-name", name)
    visited.locator("#training-start").click()
    refuse(visited.locator("#training-message"), expected)
    assert newest(own_app.workspace, "train") is None


@pytest.mark.parametrize("name", ["notes.txt", "broken.jpg"])
def test_an_upload_that_is_no_photo(visited: Page, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"these are words, not a photo")
    tab(visited, text.TAB_PREDICT)
    visited.locator("#predict-drop input[type=file]").set_input_files(str(tmp_path / name))
    refuse(visited.locator("#predict-message"), name)
    expect(visited.locator(f"#predict-picker img[alt='{name}']")).to_have_count(0)
    expect(visited.locator("#predict-drop")).to_be_visible()


def test_a_question_about_nothing(visited: Page) -> None:
    tab(visited, text.TAB_PREDICT)
    visited.locator("#predict-picker img").wait_for(state="visible")
    visited.locator("#predict-ask").click()
    refuse(visited.locator("#predict-message"), predict_text.NO_BOX)


PRIMARY = {
    text.TAB_START: "go-baseline",
    text.TAB_DATA: "data-read",
    text.TAB_BASELINE: "baseline-start",
    text.TAB_TRAINING: "training-start",
    text.TAB_PREDICT: "predict-ask",
}
FOCUSED = "() => { const now = document.activeElement; return now.id || now.closest('[id]')?.id || now.tagName }"
NAMELESS = """() => [...document.querySelectorAll('input, textarea, select, button')]
    .filter(one => one.checkVisibility() && one.type !== 'file')
    .filter(one => ![one.getAttribute('aria-label'), one.title, one.innerText,
                     ...[...(one.labels ?? [])].map(label => label.innerText)].some(said => said?.trim()))
    .map(one => one.outerHTML.slice(0, 160))"""


@pytest.mark.parametrize(("name", "button"), PRIMARY.items())
def test_the_primary_button_is_reached_by_keyboard_and_every_control_has_a_name(
    visited: Page, name: str, button: str
) -> None:
    tab(visited, name)
    visited.locator(f"#{button}").wait_for(state="visible")
    assert visited.evaluate(NAMELESS) == []
    # From the top of the page, as after opening it.
    visited.evaluate("() => { document.activeElement.blur(); window.getSelection().setPosition(document.body, 0) }")
    passed: list[str] = []
    for _ in range(80):
        visited.keyboard.press("Tab")
        passed.append(visited.evaluate(FOCUSED))
        if passed[-1] == button:
            break
    assert passed[-1] == button, passed
    if name == text.TAB_START:
        visited.keyboard.press("Enter")
        expect(visited.get_by_role("tab", name=text.TAB_BASELINE, exact=True)).to_have_attribute(
            "aria-selected", "true"
        )


def test_tabs_are_changed_by_keyboard(visited: Page) -> None:
    tab(visited, text.TAB_START)
    visited.get_by_role("tab", name=text.TAB_PREDICT, exact=True).focus()
    visited.keyboard.press("Enter")
    expect(visited.locator("#predict-ask")).to_be_visible()


def test_every_problem_of_a_folder_is_listed_at_once_and_the_good_rest_can_be_used(
    own_app: App, page: Page, faulty: Path
) -> None:
    visit(page, own_app.url)
    choose_folder(page, str(faulty))
    page.locator("#data-read").click()
    listed = page.locator("#data-problems li")
    listed.first.wait_for(state="visible")
    found = read_dataset(DataSettings(path=str(faulty)), faulty)
    assert [" ".join(line.split()) for line in listed.all_inner_texts()] == [
        " ".join(str(problem).split()) for problem in found.problems if not problem.what.startswith(SAME_FILE)
    ]
    expect(page.locator("#data-findings [data-kind=same-file]")).to_contain_text("a_08.jpg")
    shown = page.locator("#data-problems").inner_text()
    assert [words for _, words in FAULTS.values() if words not in shown] == []
    # A run on such a folder is refused with the same list …
    tab(page, text.TAB_BASELINE)
    page.locator("#baseline-start").click()
    refused = page.locator("#baseline-progress, #baseline-message").filter(has_text="Spillway cracked")
    expect(refused).to_have_count(1, timeout=1000 * STEP_S)
    # … until the user says that the rest will do.
    tab(page, text.TAB_DATA)
    page.locator("#data-use-good").click()
    expect(page.locator("#data-problems")).to_contain_text("left out", timeout=10_000)
    expect(page.locator("#data-use-good")).to_be_hidden()
    expect(page.locator("#data-summary")).to_contain_text(f"{len(found.photos)}")
    expect(page.locator("#data-thumbs figure").first).to_be_visible()
    tab(page, text.TAB_BASELINE)
    expect(page.locator("#baseline-start")).to_be_enabled(timeout=5_000)
    page.locator("#baseline-start").click()
    expect(page.locator("#baseline-score")).to_contain_text("of 2 objects", timeout=1000 * STEP_S)
    run = newest(own_app.workspace, "baseline")
    assert run is not None and run.settings().data.use_good


def test_an_unknown_model_folder(visited: Page) -> None:
    tab(visited, text.TAB_BASELINE)
    write(visited, "baseline-model", "/no/such/model")
    # The first click only folds the list of models when it is still open on a busy machine.
    field_of(visited, "baseline-model").press("Escape")
    expect(field_of(visited, elem_id("model.path"))).to_have_value("/no/such/model")
    visited.locator("#baseline-start").click()
    panel = visited.locator("#baseline-progress, #baseline-message").filter(has=visited.locator("[role=alert]"))
    expect(panel).to_contain_text("/no/such/model", timeout=1000 * STEP_S)
    assert panel.locator("[role=alert] p").count() == 1
    expect(visited.locator("#baseline-start")).to_be_enabled(timeout=5_000)

"""What a newcomer does, clicked in a real browser and trained for real; every number is held against the files."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from clicks import ROOT, STEP_S, App, drawn, drop, ended, newest, points, start_training, steps, tab, until, visit
from playwright.sync_api import Page, expect

from core import units
from core.data.dataset import read_dataset
from core.data.types import Photo
from core.settings import DataSettings
from core.taxonomy import load
from core.units import percent
from damgui import text
from damgui.scores import sentences
from damgui.tabs.predict import text as predict_text

STEPS = 12
REFERENCES_FOLLOW = "The reference points are not measured yet"


def experiments(workspace: Path, name: str) -> Any:
    return json.loads((workspace / "experiments" / name).read_text())


def rows(workspace: Path, name: str) -> dict[tuple[str, int], dict[str, Any]]:
    lines = (workspace / "experiments" / name).read_text().splitlines()
    return {(row["image"], row["object"]): row for row in map(json.loads, lines)}


def last_answer(workspace: Path) -> dict[str, Any]:
    """What the prediction service wrote last."""
    files = (workspace / "experiments" / "runs").glob("*-predict*/answers/*.json")
    return json.loads(max(files, key=lambda path: path.stat().st_mtime_ns).read_text())


def shown_shares(answer: dict[str, Any]) -> dict[str, float]:
    """The probabilities of the conditions as they are shown: of an unknown type, present is one of them."""
    if "class_probabilities" not in answer:
        return answer.get("calibrated") or answer["probabilities"]
    found: Counter[str] = Counter()
    for name, share in (answer.get("calibrated_classes") or answer["class_probabilities"]).items():
        found[load().of_class(name).name] += share
    return dict(found)


def ask(page: Page, workspace: Path) -> dict[str, Any]:
    """Press the button, wait for both verdicts, hold them against the service's answer and return that."""
    cards = page.locator("#predict-answer .dg-verdict")
    page.locator("#predict-ask").click()
    expect(page.locator("#predict-ask")).to_be_disabled(timeout=3_000)
    expect(cards).to_have_count(2, timeout=1000 * STEP_S)  # the first question starts the service
    found = last_answer(workspace)
    assert [answer["label"] for answer in found["answers"]] == ["Base model", "Tuned: clicked"]
    for index, answer in enumerate(found["answers"]):
        for words in (
            answer["label"],
            answer["predicted_type"],
            load().shown(answer["predicted_type"], answer["predicted"]).name,
            percent(sentences.sureness(answer), 0),
        ):
            expect(cards.nth(index)).to_contain_text(words)
    bars_of_each = [trace["x"] for trace in drawn(page, "predict-chart")]
    for bars, answer in zip(bars_of_each, found["answers"], strict=True):
        assert sorted(bars) == pytest.approx(sorted(100 * p for p in shown_shares(answer).values()))
        assert sum(bars) == pytest.approx(100, abs=0.1)
    return found


def examples(workspace: Path) -> list[Photo]:
    """The example photos in the order in which the page shows them."""
    photos = [
        photo for photo in read_dataset(DataSettings(), workspace / "sample-data").split("valid") if photo.objects
    ]
    return sorted(photos, key=lambda photo: -len({obj.condition for obj in photo.objects}))


class TestNewcomer:
    """The whole way, in order: each test goes on where the one before it stopped."""

    def test_the_first_page_leads_to_the_baseline_and_its_numbers_are_those_of_the_file(
        self, app: App, page: Page, workspace: Path
    ) -> None:
        visit(page, app.url)
        page.locator("#go-baseline").click()
        page.locator("#baseline-start").click()
        expect(page.locator("#baseline-start")).to_be_disabled(timeout=3_000)
        expect(page.locator("#baseline-progress [role=progressbar]")).to_be_visible(timeout=3_000)
        score = page.locator("#baseline-score")
        expect(score.locator(".dg-big")).to_be_visible(timeout=1000 * STEP_S)
        expect(score).to_contain_text(REFERENCES_FOLLOW)
        published = workspace / "experiments" / "zeroshot_results.json"
        until(published.is_file, 2 * STEP_S, "the reference points")
        expect(score).not_to_contain_text(REFERENCES_FOLLOW, timeout=1000 * STEP_S)
        zero = experiments(workspace, "zeroshot_results.json")
        photos = read_dataset(DataSettings(), workspace / "sample-data").split("valid")
        assert zero["total"] == sum(len(photo.objects) for photo in photos) > 30
        assert float(score.locator(".dg-big").get_attribute("data-accuracy") or 0) == pytest.approx(
            zero["overall_accuracy"], abs=1e-6
        )
        for words in (
            f"{100 * zero['overall_accuracy']:.1f}",
            f"{zero['correct']} of {zero['total']}",
            f"{zero['macro_f1']:.2f}",
            percent(zero["prior"]["accuracy"]),
        ):
            expect(score).to_contain_text(words)
        wrong = zero["total"] - zero["correct"]
        expect(page.locator("#baseline-mistakes-title")).to_contain_text(f"{wrong} of {zero['total']}")
        bars = drawn(page, "baseline-per-class")[0]
        shown = {name: value / 100 for name, value in zip(bars["y"], bars["x"], strict=True)}
        assert shown == pytest.approx(
            {load().shown_class(name): score["accuracy"] for name, score in zero["per_class"].items() if score["total"]}
        )

    def test_the_loss_moves_while_it_learns_and_the_end_shows_what_the_file_says(
        self, app: App, page: Page, workspace: Path
    ) -> None:
        visit(page, app.url)
        run = start_training(page, workspace, "clicked", STEPS)
        first = until(lambda: points(page), 20, "the chart")
        seen = until(lambda: points(page) > first and points(page), 20, "the chart's movement")
        assert seen < STEPS, "the chart moves while it learns, not only afterwards"
        ended(run, "finished")
        info = experiments(workspace, "training_info_clicked.json")
        state = page.locator("#training-state")
        expect(state).to_contain_text(text.STATUS_WORDS["finished"], timeout=10_000)
        expect(state).to_contain_text(percent(info["best"]["accuracy"]))
        expect(state).to_contain_text(f"{info['best']['macro_f1']:.2f}")
        assert points(page) == len(steps(run)) == info["steps"] == STEPS
        assert drawn(page, "training-chart")[0]["y"] == pytest.approx(
            [loss for _, loss in info["history"]["train"]], abs=1e-5
        )
        assert (workspace / "models" / "clicked_final" / "adapter_model.safetensors").is_file()

    def test_compare_shows_both_numbers_and_their_difference(self, app: App, page: Page, workspace: Path) -> None:
        visit(page, app.url)
        tab(page, text.TAB_COMPARE)
        page.locator("#compare-judge").click()
        expect(page.locator("#compare-judge")).to_be_disabled(timeout=3_000)
        headline = page.locator("#compare-headline")
        expect(headline.locator("#compare-gain")).to_be_visible(timeout=300_000)
        zero = experiments(workspace, "zeroshot_results.json")
        tuned = experiments(workspace, "evaluation_clicked_valid.json")
        info = experiments(workspace, "training_info_clicked.json")
        for name, found in (("before", zero), ("after", tuned)):
            big = headline.locator(f"#compare-{name}")
            expect(big).to_contain_text(f"{100 * found['overall_accuracy']:.1f}")
            expect(big).to_contain_text(f"{found['correct']} of {found['total']}")
        gain = tuned["overall_accuracy"] - zero["overall_accuracy"]
        expect(headline.locator("#compare-gain")).to_contain_text(units.points(gain))
        # What training judged is not judged again, and the page says so.
        assert tuned["answers_from"]["kind"] == "train"
        expect(headline).to_contain_text(f"Judged already by run {tuned['answers_from']['run']}")
        # The evaluation judges the very model whose score training reported.
        assert tuned["overall_accuracy"] == pytest.approx(info["best"]["accuracy"], abs=1e-6)

    def test_any_two_judged_runs_are_compared(self, app: App, page: Page, workspace: Path) -> None:
        visit(page, app.url)
        tab(page, text.TAB_COMPARE)
        lines = page.locator("#compare-runs tbody tr")
        expect(lines).to_have_count(2)
        zero = experiments(workspace, "zeroshot_results.json")
        tuned = experiments(workspace, "evaluation_clicked_valid.json")
        for line, name, tag, found in ((0, "clicked", "After", tuned), (1, "demo", "Before", zero)):
            for words in (name, tag, percent(found["overall_accuracy"]), f"{found['macro_f1']:.2f}"):
                expect(lines.nth(line)).to_contain_text(words)
        # The other way round: the table, the numbers and the difference follow.
        pick_run(page, "compare-run-before", "clicked")
        expect(page.locator("#compare-state")).to_contain_text(sentences.SAME_RUN)
        expect(page.locator("#compare-results")).to_be_hidden()
        pick_run(page, "compare-run-after", "demo")
        expect(page.locator("#compare-before .dg-big")).to_contain_text(f"{100 * tuned['overall_accuracy']:.1f}")
        expect(page.locator("#compare-after .dg-big")).to_contain_text(f"{100 * zero['overall_accuracy']:.1f}")
        loss = zero["overall_accuracy"] - tuned["overall_accuracy"]
        expect(page.locator("#compare-gain")).to_contain_text(units.points(loss))
        expect(lines.first).to_contain_text("Before")

    def test_a_dropped_photo_is_judged_by_both_models(self, app: App, page: Page, workspace: Path) -> None:
        visit(page, app.url)
        tab(page, text.TAB_PREDICT)
        photo = sorted((workspace / "sample-data" / "test" / "images").glob("*.jpg"))[0]
        drop(page.locator("#predict-drop button").first, photo)
        expect(page.locator("#predict-picker img")).to_have_attribute("alt", photo.name)
        drag_box(page, (0.2, 0.2, 0.6, 0.7))
        expect(page.locator("#predict-picker")).to_contain_text("Your own box")
        page.locator("#predict-type input").click()
        page.get_by_role("option", name="slope drain").click()
        found = ask(page, workspace)
        assert Path(found["image"]).read_bytes() == photo.read_bytes()
        assert found["object_type"] == "slope drain"
        wide, high = found["size_wh"]
        shares = [end / side for end, side in zip(found["box_xyxy_px"], (wide, high, wide, high), strict=True)]
        assert shares == pytest.approx([0.2, 0.2, 0.6, 0.7], abs=0.01)

    def test_an_examples_clicked_box_gets_the_answer_of_the_evaluation(
        self, app: App, page: Page, workspace: Path
    ) -> None:
        visit(page, app.url)
        tab(page, text.TAB_PREDICT)
        place, index, photo = next(
            (place, index, photo)
            for place, photo in enumerate(examples(workspace)[:12])
            for index, obj in enumerate(photo.objects)
            if place and len(photo.objects) > 1 and obj.object_type == "toe drain"  # the first is opened by itself
        )
        page.locator("#predict-examples button").nth(place).click()
        boxes = page.locator("#predict-picker .dg-pick-box")
        expect(page.locator("#predict-picker img")).to_have_attribute("alt", photo.path.name)
        expect(boxes).to_have_count(len(photo.objects))
        boxes.nth(index).press("Enter")  # a mouse would take the smallest box under it
        expect(boxes.nth(index)).to_have_attribute("aria-pressed", "true")
        expect(page.locator("#predict-type input")).to_have_value("toe drain")
        found = ask(page, workspace)
        files = ("zeroshot_predictions.jsonl", "evaluation_clicked_valid_predictions.jsonl")
        for answer, name in zip(found["answers"], files, strict=True):
            row = rows(workspace, name)[photo.name, index]
            assert answer["probabilities"] == pytest.approx(row["probabilities"], abs=1e-4)
            assert answer["predicted"] == row["predicted"]
        expect(page.locator("#predict-answer p", has_text="In the labels")).to_contain_text(
            photo.objects[index].condition
        )

    def test_whoever_is_not_sure_is_told_the_type_as_well(self, app: App, page: Page, workspace: Path) -> None:
        visit(page, app.url)
        tab(page, text.TAB_PREDICT)
        page.locator("#predict-picker .dg-pick-whole").click()
        expect(page.locator("#predict-picker")).to_contain_text("The whole photo")
        expect(page.locator("#predict-type input")).to_have_value(predict_text.NOT_SURE)
        found = ask(page, workspace)
        assert found["question"] == "class"
        assert found["object_type"] is None
        assert all(len(answer["class_probabilities"]) == 9 for answer in found["answers"])
        expect(page.locator("#predict-classes .js-plotly-plot")).to_be_visible()


def pick_run(page: Page, name: str, beginning: str) -> None:
    """Choose the run whose name begins like this."""
    page.locator(f"#{name} input").click()
    page.get_by_role("option", name=re.compile(f"^{beginning},")).click()


def drag_box(page: Page, box: tuple[float, float, float, float]) -> None:
    """Drag over the photo with the mouse; `box` holds fractions of it."""
    page.locator("#predict-picker .dg-pick-view").scroll_into_view_if_needed()
    view = page.locator("#predict-picker .dg-pick-frame").bounding_box()
    assert view is not None
    x1, y1, x2, y2 = box
    page.mouse.move(view["x"] + x1 * view["width"], view["y"] + y1 * view["height"])
    page.mouse.down()
    page.mouse.move(view["x"] + x2 * view["width"], view["y"] + y2 * view["height"], steps=6)
    page.mouse.up()


def test_the_page_and_the_command_line_agree(app: App, page: Page, workspace: Path, tmp_path: Path) -> None:
    """A baseline by click and by command give the same numbers, to the last digit."""
    shown = workspace / "experiments" / "zeroshot_results.json"
    if not shown.is_file():  # this test alone
        visit(page, app.url)
        tab(page, text.TAB_BASELINE)
        page.locator("#baseline-start").click()
        until(shown.is_file, 150, "the baseline")
        ended(newest(workspace, "baseline") or pytest.fail("no run"), "finished")
    words = f"baseline --model demo --data {workspace / 'sample-data'} --json --workspace"
    line = [sys.executable, "-m", "damgui", *words.split(), str(tmp_path)]
    printed = json.loads(subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=240, check=True).stdout)
    found = json.loads(shown.read_text())
    for key in ("overall_accuracy", "correct", "total", "macro_f1", "per_class", "confusion", "accuracy_interval"):
        assert printed[key] == found[key]

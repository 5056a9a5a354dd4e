"""A report holds every object, is complete in itself, bounded, and never takes the place of another file."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from core.errors import UserError
from core.report import document
from core.report.about import gather
from core.runs import files, store
from core.settings import Settings
from damgui.cli import commands
from tests.core.report.conftest import MakeRun, Row, row

VOID = {"meta", "img", "br", "wbr", "link", "hr", "input"}


class Tree(HTMLParser):
    """Counts tags and remembers what a browser would fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.wants: list[str] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "srcset", "action", "data"):
                self.wants.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing"


def parsed(path: Path) -> tuple[str, Tree]:
    text, tree = path.read_text(encoding="utf-8"), Tree()
    tree.feed(text)
    tree.close()
    assert tree.open == []
    return text, tree


def test_every_object_of_a_small_evaluation_is_shown_with_its_picture(make_run: MakeRun, few: list[Row]) -> None:
    made = document.write(make_run(few))
    text, tree = parsed(made.path)
    assert (made.objects, made.pictures, made.left_out) == (7, 7, 0)
    assert tree.tags.count("img") == 7
    everything = text.split("All objects, photo by photo")[1]
    assert everything.count('<span class="no">') == 7
    assert text.index("Mistakes") < text.index("Right, but unsure") < text.index("All objects")
    # Two mistakes and one unsure answer stand above and are pointed to from their photos.
    assert everything.count("see above") == 3
    for anchor in re.findall(r'href="#(o\d+)"', text):
        assert text.count(f'id="{anchor}"') == 1


def test_missed_faults_come_first_among_the_mistakes(make_run: MakeRun, few: list[Row]) -> None:
    text = document.write(make_run(few)).path.read_text(encoding="utf-8")
    missed, alarm = "slope drain damaged, called slope drain normal", "slope drain normal, called slope drain blocked"
    assert text.index(missed) < text.index(alarm)


def test_numbers_data_model_and_settings_are_told(make_run: MakeRun, few: list[Row]) -> None:
    run = make_run(few, settings={"lora.rank": 7})
    text = document.write(run).path.read_text(encoding="utf-8")
    for part in (
        "5 of 7 objects right: 71.4 %",
        "50.0 %",
        "some-model",
        "f" * 16,
        "lora.rank",
        run.id,
        "Git commit",
    ):
        assert part in text
    changed = text.split("Settings that differ")[1].split("</section>")[0]
    assert "lora.rank" in changed and "lora.alpha" not in changed
    assert "lora.alpha" in text.split("All ")[-1]


HOSTILE = """"'><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}{% raw %}"""


def test_hostile_names_are_words_and_nothing_else(make_run: MakeRun) -> None:
    rows = [row("a.png", 0, "damaged", "normal"), row("a.png", 1)]
    for answer in rows:
        answer["object_type"] = HOSTILE
        answer["truth_class"] = f"{HOSTILE} {answer['truth']}"
        answer["predicted_class"] = f"{HOSTILE} {answer['predicted']}"
        answer["image"] = f"{HOSTILE}/a.png"
    run = make_run([row("a.png", 0)], more={"reference_warnings": [HOSTILE], "model": {"path": HOSTILE}})
    run.predictions.write_text("".join(json.dumps(answer) + "\n" for answer in rows))
    from core.metrics import score

    results = json.loads(run.results.read_text()) | score(rows)
    run.results.write_text(json.dumps(results))
    text, tree = parsed(document.write(run).path)
    assert "script" not in tree.tags and tree.handlers == []
    assert "<script" not in text and "&lt;script&gt;" in text
    assert "{{ 7 * 7 }}{% raw %}" in text, "words are never read as a template"


def test_nothing_outside_the_file_is_asked_for(make_run: MakeRun, few: list[Row]) -> None:
    text, tree = parsed(document.write(make_run(few)).path)
    assert not re.search(r"https?:|//[a-z]", text)
    assert all(want.startswith(("data:image/jpeg;base64,", "#o")) for want in tree.wants)
    assert "default-src 'none'" in text and tree.tags.count("script") == 0


def test_a_large_report_is_bounded_and_says_what_is_left_out(make_run: MakeRun) -> None:
    rows = [row(f"p{photo}.png", number) for photo in range(40) for number in range(5)]
    rows[7] = row("p1.png", 2, "damaged", "normal")
    rows[199] = row("p39.png", 4, "blocked", "normal")
    run = make_run(rows)
    full, small = document.write(run), document.write(run, run.folder / "small.html", most_pictures=10)
    assert (full.pictures, small.pictures, small.left_out) == (200, 10, 190)
    assert small.bytes < full.bytes / 3
    text, _ = parsed(small.path)
    assert "190 further objects are left out" in text
    mistakes = text.split('<section class="objects"><h2>Mistakes')[1].split("</section>")[0]
    assert mistakes.count("<img") == 2


def test_mistakes_are_listed_in_full_even_without_pictures(make_run: MakeRun) -> None:
    run = make_run([row("a.png", number, "damaged", "normal") for number in range(6)])
    made = document.write(run, most_pictures=2)
    text, tree = parsed(made.path)
    assert (made.pictures, made.left_out, tree.tags.count("img")) == (2, 0, 2)
    assert text.split("Mistakes")[1].split("All objects")[0].count('<span class="no">') == 6


def test_photos_that_are_gone_are_told_and_the_rest_is_shown(make_run: MakeRun, few: list[Row]) -> None:
    run = make_run(few)
    (Path(run.settings().data.path) / "c.png").unlink()
    (Path(run.settings().data.path) / "sub" / "b.png").write_bytes(b"no photo")
    made = document.write(run)
    text, _ = parsed(made.path)
    assert made.pictures == 3
    assert "could not be read any more" in text and "c.png" in text


def test_the_same_run_replaces_its_report_and_no_other_file(make_run: MakeRun, few: list[Row], tmp_path: Path) -> None:
    left, right = make_run(few), make_run(few)
    path = tmp_path / "mine.html"
    first = document.write(left, path).path.read_bytes()
    assert document.write(left, path).path.read_bytes() == first
    with pytest.raises(UserError, match="another file"):
        document.write(right, path)
    path.write_text("my notes")
    with pytest.raises(UserError, match="another file"):
        document.write(left, path)
    assert path.read_text() == "my notes"
    with pytest.raises(UserError, match="a folder"):
        document.write(left, tmp_path)
    assert list(tmp_path.glob(".*.tmp")) == []


def test_a_run_that_judged_nothing_has_no_report(tmp_path: Path) -> None:
    workspace = store.open_workspace(tmp_path)
    for kind, message in (("train", "judged nothing"), ("baseline", "no results to report on")):
        run = store.create(workspace, Settings(), kind, "x" if kind == "train" else "")
        with pytest.raises(UserError, match=message):
            document.write(run)


def test_a_damaged_line_is_named(make_run: MakeRun, few: list[Row]) -> None:
    run = make_run(few)
    with run.predictions.open("a") as lines:
        lines.write("{broken\n")
    with pytest.raises(UserError, match="line 8"):
        document.write(run)


def test_a_batch_tells_counts_and_no_score(make_run: MakeRun) -> None:
    rows = [row("a.png", 0, predicted="damaged"), row("a.png", 1), row("b.png", 0, predicted="blocked", unsure=True)]
    for answer in rows:
        del answer["truth"], answer["truth_class"]
    made = document.write(make_run(rows, "batch", {"unsure": {"count": 1, "total": 3}, "whole_photos": True}))
    text, tree = parsed(made.path)
    assert "1 normal, 1 blocked, 1 damaged" in text and "unsure of 1" in text
    assert "no truth to compare with" in text and "judged whole" not in text and "That is coarse" in text
    assert "Macro-F1</text>" not in text and tree.tags.count("img") == 3
    assert text.index("<h3>damaged") < text.index("<h3>blocked") < text.index("All objects")


CONTRACT: dict[str, Any] = {
    "balanced_accuracy": 0.61,
    "balanced_accuracy_interval": [0.5, 0.7],
    "probabilistic": {
        "log_loss": 0.7,
        "brier": 0.3,
        "ece": 0.123,
        "total": 7,
        "reliability": [
            {"low": 0.8, "high": 0.9, "count": 5, "confidence": 0.85, "accuracy": 0.6},
            {"low": 0.9, "high": 1.0, "count": 0, "confidence": None, "accuracy": None},
        ],
    },
    "probabilistic_calibrated": {"log_loss": 0.5, "brier": 0.2, "ece": 0.045, "total": 7, "reliability": []},
    "alarms": {
        "blocked": {
            "false_alarm_rate": 0.1,
            "recall": 0.5,
            "recall_interval": [0.2, 0.8],
            "threshold": 0.4,
            "positives": 2,
            "negatives": 5,
            "auc": 0.77,
        },
        "damaged": {
            "false_alarm_rate": None,
            "recall": None,
            "recall_interval": None,
            "threshold": None,
            "positives": 0,
            "negatives": 7,
            "auc": None,
        },
    },
    "unsure": {
        "threshold": 0.62,
        "count": 1,
        "total": 7,
        "coverage": 0.857,
        "accuracy_of_sure": 0.83,
        "max_error": 0.05,
    },
    "references": {
        "prior": {
            "label": "Prior",
            "accuracy": 0.57,
            "accuracy_interval": [0.4, 0.7],
            "macro_f1": 0.2,
            "macro_f1_interval": [0.1, 0.3],
            "with_choice": {},
            "note": "",
        },
        "blank": {
            "label": "Blank",
            "accuracy": 0.55,
            "accuracy_interval": None,
            "macro_f1": 0.2,
            "macro_f1_interval": None,
            "with_choice": {},
            "note": "fell to the prior",
        },
    },
    "reference_warnings": ["The model does not beat a probe."],
    "calibration": {"temperature": {"condition": 1.4}, "threshold": 0.62, "photos": 12, "objects": 80},
}


def test_what_a_full_evaluation_measures_is_told(make_run: MakeRun, few: list[Row]) -> None:
    text, _ = parsed(document.write(make_run(few, more=CONTRACT)).path)
    for part in (
        "61.0 %",
        "0.123",
        "0.045",
        "0.77",
        "62.0 %",
        "83.0 %",
        "80 objects of 12 photos",
        "does not beat",
        "fell to the prior",
        "The model on blank photos",
        "57.0 %",
    ):
        assert part in text
    assert "were not calibrated" not in text


@pytest.mark.parametrize(
    "missing",
    [
        *CONTRACT,
        "prior",
        "accuracy_interval",
        "macro_f1_interval",
        "confusion",
        "per_condition",
        "per_object_type",
        "with_choice",
        "seconds",
    ],
)
def test_results_of_other_versions_are_told_as_far_as_they_go(make_run: MakeRun, few: list[Row], missing: str) -> None:
    run = make_run(few, more=CONTRACT)
    found = json.loads(run.results.read_text())
    found.pop(missing)
    run.results.write_text(json.dumps(found))
    assert "5 of 7 objects right" in parsed(document.write(run).path)[0]


def test_the_command_prints_the_path_and_takes_a_part_of_the_id(
    make_run: MakeRun, few: list[Row], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(few)
    assert commands.main(["report", run.id[-8:], "--workspace", str(tmp_path)]) == 0
    default = tmp_path / "experiments" / "reports" / f"{run.id}.html"
    assert capsys.readouterr().out.strip() == str(default)
    assert default.is_file()
    out = tmp_path / "deep" / "x.html"
    assert commands.main(["report", run.id, "--workspace", str(tmp_path), "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["path"] == str(out)
    assert commands.main(["report", "nothing-like-it", "--workspace", str(tmp_path)]) == 2


@pytest.mark.parametrize(("fingerprint", "expected"), [("abc", True), ("other", False)])
def test_a_batch_tells_what_the_same_model_scored_where_the_truth_was_known(
    make_run: MakeRun, few: list[Row], fingerprint: str, expected: bool
) -> None:
    model = {"path": "some-model", "adapter": None, "fingerprint": fingerprint}
    scored = make_run(few, more={"model": model})
    files.copy(scored.results, scored.workspace.evaluation("some-model", "valid"))
    text = document.write(make_run(few, "batch")).path.read_text(encoding="utf-8")
    assert ("was evaluated on 7 labelled objects" in text) is expected


def test_a_tree_on_a_dam_is_present_and_not_normal(make_run: MakeRun) -> None:
    tree = {"object_type": "vegetation", "choices": 1, "probabilities": {"normal": 1.0}}
    tree |= {"truth_class": "vegetation normal", "predicted_class": "vegetation normal"}
    rows = [row("a.png", 0), row("a.png", 1, **tree)]
    scored = document.write(make_run(rows)).path.read_text()
    assert "vegetation present" in scored and "vegetation normal" not in scored
    assert "</i>present</span>" in scored and "its objects count as normal here" in scored
    run = make_run(rows, "batch", {"conditions": {"normal": 2}, "classes": {"vegetation normal": 1}})
    assert "1 normal, 1 present" in document.write(run).path.read_text()


def test_what_alarms_is_what_the_results_were_scored_with(make_run: MakeRun, few: list[Row]) -> None:
    about = gather(make_run(few, more={"alarms": {"damaged": {}}}))
    assert about.urgent == ("damaged",)
    assert gather(make_run(few, "batch")).urgent == ("damaged", "blocked")

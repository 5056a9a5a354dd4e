"""An ablation is started by a click, goes on without the page, and its table and advice appear."""

from __future__ import annotations

from pathlib import Path

import pytest
from clicks import STEP_S, App, ended, limit_photos, newest, serve, tab, unfold, until, visit, write
from playwright.sync_api import Page, expect

from core import units
from core.runs import store
from core.runs.events import append, event
from core.runs.files import read_json, write_json
from core.settings import load
from core.studies import plan as studies
from core.studies.ablation import ablation
from damgui import text
from damgui.forms import SWITCHES, elem_id
from damgui.tabs.ablation import text as study_text


@pytest.mark.slow
def test_an_ablation_is_started_by_a_click_and_its_table_appears(app: App, page: Page, workspace: Path) -> None:
    visit(page, app.url)
    limit_photos(page, 5)
    tab(page, text.TAB_TRAINING)
    unfold(page, "training-more", elem_id("training.max_steps"))
    write(page, elem_id("training.max_steps"), 1)
    tab(page, study_text.TAB)
    for name, words in study_text.ALONE.items():
        if name != "all":
            page.locator("#ablation-variants").get_by_label(words).uncheck()
    seeds = page.locator("#ablation-seeds input[type=number]")
    seeds.fill("1")
    seeds.press("Tab")
    expect(page.locator("#ablation-cost")).to_contain_text("2 trainings")
    page.locator("#ablation-start").click()
    expect(page.locator("#ablation-start")).to_be_disabled(timeout=3_000)
    run = until(lambda: newest(workspace, "ablate"), 60, "the run")
    state = page.locator("#ablation-state")
    expect(state).to_contain_text("1 of 2: no enhancement, seed 0", timeout=1000 * STEP_S)
    expect(page.locator("#dg-busy")).to_contain_text(text.KIND_WORDS["ablate"])
    ended(run, "finished")
    found = read_json(run.results)
    assert [row["variant"] for row in found["table"]] == ["none", "all"]
    expect(page.locator("#ablation-table tbody tr")).to_have_count(2)
    for row in found["table"]:
        shown = page.locator(f"#ablation-table tr[data-variant={row['variant']}]")
        expect(shown).to_contain_text(units.percent(row["accuracy"]["mean"]))
        expect(shown).to_contain_text(f"{row['macro_f1']['mean']:.3f}")
    expect(page.locator("#ablation-chart .js-plotly-plot .main-svg").first).to_be_visible()
    expect(page.locator("#ablation-advice")).to_contain_text("at least 3 times")  # one training of each proves nothing
    expect(page.locator("#ablation-use")).to_be_hidden()
    expect(page.locator("#ablation-resume")).to_be_hidden()


def test_the_advice_fills_the_five_switches_by_a_click(page: Page, tmp_path: Path) -> None:
    """An ablation is on disk in which oversampling alone helped."""
    workspace = store.open_workspace(tmp_path)
    settings = load("demo")
    plan = studies.plan_ablation(["oversampling"], 3, settings)
    run = store.create(workspace, settings, "ablate", plan=studies.to_dict(plan))
    answers = {
        variant: {
            seed: [
                {
                    "image": f"{i}.jpg",
                    "object": 0,
                    "truth_class": "ab"[i % 2],
                    "predicted_class": "ab"[(i + (i > right)) % 2],
                }
                for i in range(40)
            ]
            for seed in range(3)
        }
        for variant, right in (("none", 20), ("oversampling", 36))
    }
    write_json(run.results, {"kind": "ablate", "cells": [], **ablation(answers)})
    append(run.events, event("started", run=run.id, pid=1, job="ablate", parent=1))
    append(run.events, event("ended", how="finished", error="", problems=[], seconds=1.0))
    app = serve(tmp_path)
    try:
        visit(page, app.url)
        tab(page, study_text.TAB)
        expect(page.locator("#ablation-advice")).to_contain_text("Use oversampling alone")
        page.locator("#ablation-use").click()
        for path in SWITCHES:
            box = page.locator(f"#{elem_id(path)} input")
            expect(box).to_be_visible()
            expect(box).to_be_checked(checked=path == "enhance.oversampling")
    finally:
        app.close()

"""A report in a real browser: opened as a file, offline, without a complaint; and made by a click on the page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from clicks import Watch, serve, tab, visit
from playwright.sync_api import Browser, Page

from core.metrics import score
from core.report import document
from core.runs import store
from core.runs.files import copy, write_json
from core.runs.store import Run
from core.settings import Settings, merge
from damgui import text


def make_run(workspace: Path, photos: Path) -> Run:
    """A baseline on two painted photos; one answer is wrong, one name is hostile."""
    from PIL import Image

    rows = []
    for image, truth in (("<b>bold.png", "damaged"), ("plain.png", "normal")):
        Image.new("RGB", (120, 90), (90, 130, 80)).save(photos / image)
        rows.append(
            {
                "image": image,
                "object": 0,
                "box_xyxy_px": [20, 20, 60, 70],
                "object_type": "slope drain",
                "truth": truth,
                "predicted": "normal",
                "truth_class": f"slope drain {truth}",
                "predicted_class": "slope drain normal",
                "question": "condition",
                "choices": 3,
                "probabilities": {"normal": 0.8, "blocked": 0.1, "damaged": 0.1},
            }
        )
    run = store.create(store.open_workspace(workspace), merge(Settings(), {"data.path": str(photos)}), "baseline")
    run.predictions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    about = {"path": str(photos), "split": "valid", "photos": 2, "objects": 2, "fingerprint": "f"}
    write_json(
        run.results,
        {**score(rows), "complete": True, "seconds": 1.0, "data": about, "model": {"path": "demo", "adapter": None}},
    )
    return run


@pytest.mark.parametrize("size", [(1280, 900), (1920, 1080), (390, 800)])
def test_a_report_opens_offline_without_a_complaint_and_fits_the_window(
    browser: Browser, tmp_path: Path, size: tuple[int, int]
) -> None:
    (tmp_path / "photos").mkdir()
    made = document.write(make_run(tmp_path, tmp_path / "photos"))
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, offline=True)
    opened, watch, requested = context.new_page(), Watch(), []
    watch.over(opened)
    opened.on("request", lambda sent: requested.append(sent.url))
    opened.goto(made.path.as_uri())
    assert watch.errors == []
    assert [url for url in requested if not url.startswith(("file:", "data:"))] == []
    assert opened.locator("figure img").count() == 2
    widths = opened.evaluate("[...document.images].map(one => one.naturalWidth)")
    assert min(widths) > 50, "every picture is drawn"
    assert opened.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert "<b>bold.png" in opened.locator("figure code").first.inner_text()
    pdf = opened.pdf(prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF") and len(pdf) > 20_000
    context.close()


def test_a_report_is_made_and_handed_out_by_two_clicks(page: Page, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    run = make_run(tmp_path, tmp_path / "photos")
    copy(run.results, run.workspace.zeroshot_results)
    app = serve(tmp_path)  # a workspace of its own: the others' begins empty
    try:
        visit(page, app.url)
        tab(page, text.TAB_BASELINE)
        page.locator("#baseline-report-make").click()
        page.locator("#baseline-report-load").wait_for(state="visible")
        with page.expect_download() as download:
            page.locator("#baseline-report-load").click()
        content = Path(download.value.path()).read_text(encoding="utf-8")
    finally:
        app.close()
    assert run.id in content and "1 of 2 objects right" in content

"""A click on a cure cures the finding, and the form carries the setting to the next run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from clicks import App, field_of, tab, visit, write
from PIL import Image
from playwright.sync_api import Page, expect

from damgui import text
from damgui.forms import elem_id

NAMES = ["toe drain", "toe drain blocked"]


@pytest.fixture(scope="module")
def leaky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three flights in training; in validation a neighbour of a frame of the first and a copy of one of the second."""
    root = tmp_path_factory.mktemp("leaky")
    rng = np.random.default_rng(0)

    def add(split: str, stem: str, picture: Image.Image, quality: int = 90) -> None:
        for part in ("images", "labels"):
            (root / split / part).mkdir(parents=True, exist_ok=True)
        picture.save(root / split / "images" / f"{stem}.jpg", quality=quality)
        (root / split / "labels" / f"{stem}.txt").write_text("0 .4 .4 .3 .3\n1 .7 .7 .2 .2\n")

    def random_picture() -> Image.Image:
        soft = Image.fromarray(rng.integers(30, 220, (7, 7, 3), dtype=np.uint8)).resize((160, 160), 3)
        return Image.blend(soft, Image.effect_noise((160, 160), 60).convert("RGB"), 0.2)

    scenes = {(flight, frame): random_picture() for flight in range(3) for frame in (10, 30, 50)}
    for (flight, frame), picture in scenes.items():
        add("train", f"Dam{flight}_{frame}", picture)
    add("valid", "Dam0_12", random_picture())
    add("valid", "Copy_of_it_900", scenes[1, 30], 60)
    (root / "data.yaml").write_text(f"train: train/images\nval: valid/images\nnames: {json.dumps(NAMES)}\n")
    return root


def test_a_click_on_a_cure_cures_the_finding(app: App, page: Page, leaky: Path) -> None:
    visit(page, app.url)
    tab(page, text.TAB_DATA)
    page.locator("#data-source input[type=radio]").last.check()
    field_of(page, elem_id("data.path")).wait_for(state="visible")
    write(page, elem_id("data.path"), str(leaky))
    page.locator("#data-read").click()
    expect(page.locator("#data-light")).to_contain_text(text.LIGHTS["amber"][0])
    copies = page.locator("#data-findings [data-kind=duplicate-across]")
    expect(copies.locator(".dg-pair img")).to_have_count(2)
    expect(copies).to_contain_text("Copy_of_it_900.jpg")

    copies.get_by_role("button", name=text.CURES["data.drop_duplicates"]).click()
    expect(copies).to_have_count(0)
    expect(page.locator("#data-findings [data-kind=duplicates-left-out]")).to_be_visible()
    expect(page.locator("#data-summary .dg-value").first).to_have_text("10")

    flights = page.locator("#data-findings [data-kind=flight-across]")
    expect(flights).to_contain_text("Dam0_12.jpg")
    flights.get_by_role("button", name=text.CURES["data.regroup"]).click()
    expect(flights).to_have_count(0)

    # Both settings are on the form now, so a run will use them too.
    page.locator("#data-more button").first.click()
    for path in ("data.drop_duplicates", "data.regroup"):
        expect(page.locator(f"#{elem_id(path)} input[type=checkbox]")).to_be_checked()
    page.locator("#data-where button").first.click()
    expect(page.locator("#data-heights .main-svg").first).to_be_visible()

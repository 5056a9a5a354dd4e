"""Photos are read in a process of their own: it counts, is cancelled at once, asks before a disk, and never hangs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from clicks import App, field_of, tab, until, visit, write
from PIL import Image
from playwright.sync_api import Page, expect

from core.data.files import ASKED_ABOVE
from damgui import text
from damgui.forms import elem_id

PHOTOS = 300


def read(page: Page, path: Path) -> None:
    write(page, elem_id("data.path"), str(path))
    page.locator("#data-read").click()


@contextmanager
def without_sample(workspace: Path) -> Iterator[None]:
    """As in a new workspace: the sample set is yet to be drawn."""
    aside = (workspace / "sample-data").rename(workspace / "aside")
    try:
        yield
    finally:
        aside.rename(workspace / "sample-data")


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Photos that take some seconds to be decoded and reviewed."""
    for split in ("train", "valid"):
        (tmp_path / split / "images").mkdir(parents=True)
        (tmp_path / split / "labels").mkdir()
    noise = Image.effect_noise((900, 900), 60).convert("RGB")
    noise.save(tmp_path / "noise.png")
    (tmp_path / "data.yaml").write_text("train: train/images\nval: valid/images\nnames: [toe drain]\n")
    for number in range(PHOTOS):
        folder = tmp_path / ("valid" if number % 3 == 0 else "train")
        os.link(tmp_path / "noise.png", folder / "images" / f"Dam_{number}.png")
        (folder / "labels" / f"Dam_{number}.txt").write_text("0 .4 .4 .3 .3\n")
    return tmp_path


def test_a_reading_counts_is_cancelled_at_once_asks_before_a_disk_and_names_a_pipe(
    app: App, page: Page, workspace: Path, many: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    visit(page, app.url)
    tab(page, text.TAB_DATA)
    with without_sample(workspace):
        page.locator("#data-read").click()
        expect(page.locator("#data-message")).to_contain_text(re.compile(r"Drawing the sample set: \d+ of \d+"))
        page.locator("#data-cancel").click()
        expect(page.locator("#data-message")).to_contain_text("the reading was cancelled", timeout=3_000)
        until(lambda: not list(workspace.glob(".sample-data.*")), 10, "the removal of what was drawn")
    page.locator("#data-source input[type=radio]").last.check()
    field_of(page, elem_id("data.path")).wait_for(state="visible")
    message, cancel, anyway = (page.locator(f"#data-{name}") for name in ("message", "cancel", "anyway"))

    read(page, many)
    expect(message).to_contain_text(re.compile(rf"\d+ of {PHOTOS}"))
    cancel.click()
    expect(message).to_contain_text("the reading was cancelled", timeout=3_000)
    expect(cancel).to_be_hidden()

    disk = tmp_path_factory.mktemp("disk")
    for number in range(101):
        (disk / str(number)).mkdir()
        for name in range(ASKED_ABOVE // 100):
            (disk / str(number) / str(name)).touch()
    read(page, disk)
    expect(message).to_contain_text("0 of them photos")
    anyway.click()
    expect(message).to_contain_text("no photos and no labels")
    expect(anyway).to_be_hidden()

    pipe = disk / "pipe"
    os.mkfifo(pipe)
    read(page, pipe)
    expect(message).to_contain_text("this is a pipe or a device")

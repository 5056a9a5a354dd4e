"""The photo of the Predict tab: zoom, a box by mouse and keys, other photos, all boxes at once, and files to save.

All on one page: opening it anew for each check would take most of the time.
"""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clicks import STEP_S, App, drop, field_of, one_page, tab, until, write
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from core.boxes import in_pixels
from core.data.dataset import read_dataset
from core.data.types import Photo
from core.settings import DataSettings
from damgui import text as page_text
from damgui.forms import elem_id
from damgui.tabs.predict import text, view

IMAGE, VIEW, FRAME = "#predict-picker img", "#predict-picker .dg-pick-view", "#predict-picker .dg-pick-frame"
DRAWN, CAPTION = "#predict-picker .dg-pick-drawn", "#predict-picker .dg-pick-said"
SIZE_PX = (3000, 2000)  # of a photo that is larger than its preview


@pytest.fixture(scope="module")
def opened(app: App, browser: Browser) -> Iterator[Page]:
    with one_page(browser, app.url) as page:
        tab(page, page_text.TAB_PREDICT)
        yield page


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "large.jpg"
    Image.linear_gradient("L").resize(SIZE_PX).convert("RGB").save(path, quality=70)
    return path


def examples(folder: Path) -> tuple[Photo, ...]:
    return view.examples(read_dataset(DataSettings(path=str(folder)), folder), 12)


def where(page: Page) -> dict[str, Any]:
    """The frame on the screen, and the chosen box in pixels of the photo as the drawing has it."""
    found: dict[str, Any] = page.evaluate(
        """([frame, drawn]) => {
            const about = document.querySelector(frame).getBoundingClientRect();
            const { x, y, width, height } = about;
            const box = document.querySelector(drawn);
            const of = ['left', 'top', 'width', 'height'].map((side) => parseFloat(box.style[side]) / 100);
            return { x, y, width, height, of: box.hidden ? null : of };
        }""",
        [FRAME, DRAWN],
    )
    return found


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """With the mouse, from and to points on the screen."""
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    page.mouse.move(*end)
    page.mouse.up()


def draw(page: Page, box: tuple[float, float, float, float]) -> None:
    """Drag a box over the photo as it is shown whole; `box` holds fractions of it."""
    page.locator("#predict-picker [data-zoom=fit]").click()
    page.keyboard.press("Escape")
    page.locator(VIEW).press("Escape")
    page.locator(VIEW).scroll_into_view_if_needed()
    at = where(page)
    x1, y1, x2, y2 = box
    points = [(at["x"] + x * at["width"], at["y"] + y * at["height"]) for x, y in ((x1, y1), (x2, y2))]
    drag(page, points[0], points[1])
    assert where(page)["of"] == pytest.approx([x1, y1, x2 - x1, y2 - y1], abs=0.01)


def zoom(page: Page) -> float:
    return float(page.locator("#predict-picker .dg-pick-scale").inner_text().removesuffix(" %"))


def test_the_tab_opens_on_a_photo_of_the_chosen_set_and_nothing_is_marked(opened: Page, workspace: Path) -> None:
    first = examples(workspace / "sample-data")[0]
    expect(opened.locator(IMAGE)).to_have_attribute("alt", first.path.name)
    expect(opened.locator("#predict-picker .dg-pick-box")).to_have_count(len(first.objects))
    expect(opened.get_by_text(text.SAMPLE_SET)).to_be_visible()
    expect(opened.locator(CAPTION)).to_have_text("Nothing yet")
    expect(opened.locator("#predict-picker .dg-pick-whole")).to_have_attribute("aria-pressed", "false")
    wide = opened.locator(VIEW).bounding_box()
    assert wide is not None and wide["width"] > 1100, "the full width of the tab"


def test_the_box_keeps_its_pixels_at_every_zoom(opened: Page) -> None:
    draw(opened, (0.3, 0.3, 0.6, 0.7))
    begun, said, near = where(opened), opened.locator(CAPTION).inner_text(), zoom(opened)
    opened.mouse.move(begun["x"] + begun["width"] / 2, begun["y"] + begun["height"] / 2)
    opened.mouse.wheel(0, -240)
    until(lambda: zoom(opened) > 1.4 * near, 5, "a nearer photo")
    centre = where(opened)
    assert centre["x"] + centre["width"] / 2 == pytest.approx(begun["x"] + begun["width"] / 2, abs=2), (
        "the pointer's place"
    )
    for button, check in (
        ("in", lambda: zoom(opened) > near),
        ("full", lambda: where(opened)["width"] == opened.locator(IMAGE).evaluate("one => one.naturalWidth")),
        ("fit", lambda: where(opened)["width"] == pytest.approx(begun["width"], abs=1)),
    ):
        opened.locator(f"#predict-picker [data-zoom={button}]").click()
        assert check()
        assert where(opened)["of"] == begun["of"]
        assert opened.locator(CAPTION).inner_text() == said


def test_two_fingers_zoom_and_move_the_photo(opened: Page) -> None:
    draw(opened, (0.3, 0.3, 0.6, 0.7))
    begun, near = where(opened), zoom(opened)
    x, y = begun["x"] + begun["width"] / 2, begun["y"] + begun["height"] / 2
    session = opened.context.new_cdp_session(opened)

    def touch(kind: str, apart: float, aside: float = 0.0) -> None:
        ends = [{"x": x + aside - apart, "y": y, "id": 0}, {"x": x + aside + apart, "y": y, "id": 1}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [] if kind == "touchEnd" else ends})

    touch("touchStart", 50)
    for step in range(1, 5):
        touch("touchMove", 50 + 25 * step, 10 * step)
    touch("touchEnd", 0)
    until(lambda: zoom(opened) > 2 * near, 5, "a nearer photo")
    assert where(opened)["of"] == begun["of"]


def test_the_photo_is_moved_by_its_tool(opened: Page) -> None:
    draw(opened, (0.4, 0.4, 0.6, 0.6))
    for _ in range(4):
        opened.locator("#predict-picker [data-zoom=in]").click()
    opened.locator("#predict-picker [data-tool=pan]").click()
    view_box = opened.locator(VIEW).bounding_box()
    assert view_box is not None
    begun, x, y = where(opened), view_box["x"] + view_box["width"] / 2, view_box["y"] + view_box["height"] / 2
    drag(opened, (x, y), (x, y - 60))
    now = where(opened)
    assert now["y"] == pytest.approx(begun["y"] - 60, abs=1) and now["of"] == begun["of"]
    opened.locator("#predict-picker [data-tool=draw]").click()


def test_a_handle_resizes_the_box_and_its_inside_moves_it(opened: Page) -> None:
    draw(opened, (0.3, 0.3, 0.6, 0.6))
    begun = where(opened)
    corner = (begun["x"] + 0.6 * begun["width"], begun["y"] + 0.6 * begun["height"])
    drag(opened, corner, (corner[0] + 0.2 * begun["width"], corner[1] + 0.1 * begun["height"]))
    left, top, wide, high = where(opened)["of"]
    assert (left, top, wide, high) == pytest.approx((0.3, 0.3, 0.5, 0.4), abs=0.012)
    middle = (begun["x"] + 0.5 * begun["width"], begun["y"] + 0.5 * begun["height"])
    drag(opened, middle, (middle[0] - 0.1 * begun["width"], middle[1]))
    assert where(opened)["of"] == pytest.approx([left - 0.1, top, wide, high], abs=0.012)
    drag(opened, middle, (middle[0] - begun["width"], middle[1]))
    assert where(opened)["of"] == pytest.approx([0, top, wide, high], abs=0.012), "it stays in the photo"


def test_a_box_is_drawn_moved_and_resized_by_keys(opened: Page) -> None:
    opened.locator("#predict-picker [data-zoom=fit]").click()
    opened.locator(VIEW).focus()
    for key in ("Escape", "Enter"):
        opened.keyboard.press(key)
    wide, high = opened.locator(IMAGE).evaluate("one => [one.naturalWidth, one.naturalHeight]")
    left, top, across, down = where(opened)["of"]
    assert (across, down) == pytest.approx((1 / 3, 1 / 3), abs=0.01)
    for key in ("Control+ArrowRight", "Control+ArrowRight", "Control+ArrowUp", "Control+Shift+ArrowRight"):
        opened.keyboard.press(key)
    moved = [left + 2 / wide, top - 1 / high, across + 1 / wide, down]
    assert where(opened)["of"] == pytest.approx(moved, abs=0.2 / wide)
    opened.keyboard.press("ArrowDown")
    opened.keyboard.press("Shift+ArrowUp")
    now = where(opened)["of"]
    assert now[1] > moved[1] + 1 / high and now[3] < moved[3] - 1 / high
    expect(opened.locator(CAPTION)).to_have_text(
        f"Your own box, {round(now[2] * wide)} × {round(now[3] * high)} pixels"
    )
    opened.keyboard.press("Escape")
    expect(opened.locator(CAPTION)).to_have_text("Nothing yet")


def test_the_next_drop_replaces_the_photo_at_once(opened: Page, workspace: Path) -> None:
    first, second = sorted((workspace / "sample-data" / "test" / "images").glob("*.jpg"))[:2]
    for photo in (first, second):
        drop(opened.locator(VIEW), photo)
        expect(opened.locator(IMAGE)).to_have_attribute("alt", photo.name)
    expect(opened.locator("#predict-picker .dg-pick-box")).to_have_count(0)
    expect(opened.locator("#predict-ask-all")).to_be_hidden()
    # Whoever comes back finds the photo that was dropped, and not one of the set again.
    tab(opened, page_text.TAB_DATA)
    with opened.expect_response(re.compile("/run/|/queue/|/call/")):
        tab(opened, page_text.TAB_PREDICT)
    expect(opened.locator(IMAGE)).to_have_attribute("alt", second.name)


def test_a_large_photo_shows_its_own_pixels_to_whoever_looks_closely(opened: Page, large: Path) -> None:
    drop(opened.locator(VIEW), large)
    expect(opened.locator(IMAGE)).to_have_attribute("alt", large.name)
    natural = "one => one.naturalWidth"
    until(lambda: opened.locator(IMAGE).evaluate(natural) == 2048, 10, "the preview")
    draw(opened, (0.25, 0.25, 0.75, 0.75))
    expect(opened.locator(CAPTION)).to_contain_text(re.compile(r"(149\d|150\d) × (99\d|100\d) pixels"))
    begun = where(opened)["of"]
    opened.locator("#predict-picker [data-zoom=full]").click()
    until(lambda: opened.locator(IMAGE).evaluate(natural) == SIZE_PX[0], 20, "the photo in its full size")
    assert where(opened)["of"] == begun and where(opened)["width"] == SIZE_PX[0]


def test_all_boxes_are_judged_in_one_go_and_saved_as_picture_and_table(
    opened: Page, workspace: Path, tmp_path: Path
) -> None:
    place, photo = next((i, one) for i, one in enumerate(examples(workspace / "sample-data")) if len(one.objects) > 3)
    opened.locator("#predict-examples button").nth(place).click()
    expect(opened.locator(IMAGE)).to_have_attribute("alt", photo.path.name)
    boxes = len(photo.objects)
    expect(opened.locator("#predict-ask-all")).to_have_text(text.ask_all(boxes))
    opened.locator("#predict-ask-all").click()
    expect(opened.locator("#predict-exports")).to_be_visible(timeout=1000 * STEP_S)
    rows = opened.locator("#predict-answer .dg-judged tbody tr")
    expect(rows).to_have_count(boxes)
    models = opened.locator("#predict-answer .dg-judged thead th").count() - 3
    expect(opened.locator("#predict-picker .dg-tag")).to_have_count(boxes)
    tags = opened.locator("#predict-picker .dg-tag").all_inner_texts()
    saved = {}
    for name in ("picture", "table"):
        with opened.expect_download() as coming:
            opened.locator(f"#predict-{name}").click()
        saved[name] = tmp_path / coming.value.suggested_filename
        coming.value.save_as(saved[name])
    assert [path.suffix for path in saved.values()] == [".jpg", ".csv"]
    with Image.open(saved["picture"]) as picture:
        assert picture.size == photo.size_wh, "in its full size"
    with saved["table"].open(encoding="utf-8-sig", newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == boxes * models
    for index, obj in enumerate(photo.objects):
        of_box = [line for line in lines if line["object"] == str(index + 1)]
        stated = [float(of_box[0][end]) for end in ("x1", "y1", "x2", "y2")]
        assert stated == pytest.approx(in_pixels(obj.box_xyxy, photo.size_wh), abs=0.06)
        expect(rows.nth(index)).to_contain_text(obj.object_type)
        last = of_box[-1]
        shown = "present" if obj.object_type == "vegetation" else last["condition"]
        (tag,) = [words for words in tags if words.startswith(f"{index + 1} ")]
        assert last["unsure"] == "yes" or shown in tag
        assert last["label"] in rows.nth(index).inner_text()
    opened.locator("#predict-picker .dg-pick-box").first.press("Enter")
    expect(opened.locator("#predict-picker .dg-tag")).to_have_count(0)


def test_the_set_that_is_shown_is_the_set_that_opens(opened: Page, workspace: Path, tmp_path: Path) -> None:
    other = tmp_path / "other dam"
    shutil.copytree(workspace / "sample-data" / "test", other / "valid")
    shutil.copytree(workspace / "sample-data" / "train", other / "train")
    shutil.copy(workspace / "sample-data" / "data.yaml", other)
    tab(opened, page_text.TAB_DATA)
    opened.locator("#data-source input[type=radio]").last.check()
    field_of(opened, elem_id("data.path")).wait_for(state="visible")
    write(opened, elem_id("data.path"), other)
    tab(opened, page_text.TAB_PREDICT)
    photos = examples(other)
    expect(opened.get_by_text(f"from {other}")).to_be_visible()
    expect(opened.locator(IMAGE)).to_have_attribute("alt", photos[0].path.name)
    # The form moves on, and what is offered is still what a click opens.
    tab(opened, page_text.TAB_DATA)
    opened.locator("#data-source input[type=radio]").first.check()
    opened.evaluate("""() => document.querySelectorAll('#predict-examples [data-index="1"]')[0].click()""")
    expect(opened.locator(IMAGE)).to_have_attribute("alt", photos[1].path.name)

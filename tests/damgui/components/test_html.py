"""Every piece of the page shows what users wrote as words: names, errors, paths, with whatever is in them."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from core.conditions import unknown
from core.errors import UserError
from core.runs import store
from core.settings import Settings
from damgui.components import html, photos
from damgui.run_log import fold
from damgui.run_state import RunState
from damgui.tabs import training, welcome

HOSTILE = """"'><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}"""


class Words(HTMLParser):
    """The words of a text, and what a browser would run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words, self.runs = "", 0
        self.feed(str(text))

    def handle_data(self, data: str) -> None:
        self.words += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.runs += tag == "script" or any(name.startswith("on") for name, _ in attrs)


PIECES: dict[str, Callable[[], str]] = {
    "heading": lambda: html.heading(HOSTILE, HOSTILE),
    "section": lambda: html.section("a", HOSTILE),
    "empty": lambda: html.empty(HOSTILE),
    "note": lambda: html.note(HOSTILE, "warn"),
    "problem": lambda: html.problem(UserError(HOSTILE, HOSTILE, HOSTILE)),
    "badge": lambda: html.badge(unknown(HOSTILE)),
    "figure": lambda: html.figures([html.figure(HOSTILE, HOSTILE, HOSTILE)]),
    "working": lambda: html.working(HOSTILE),
    "bar": lambda: html.bar(0.5, HOSTILE) + html.small(HOSTILE),
    "facts": lambda: html.facts([(HOSTILE, HOSTILE)]),
    "table": lambda: html.table([HOSTILE], [[HOSTILE, html.cell(HOSTILE, HOSTILE)]]),
    "joined": lambda: html.joined([html.small("a"), HOSTILE]),
    "log": lambda: training._log(HOSTILE),
    "files": lambda: welcome._WELCOME.files(HOSTILE),
}


@pytest.mark.parametrize("name", PIECES)
def test_words_of_users_stay_words(name: str) -> None:
    found = Words(PIECES[name]())
    assert HOSTILE in found.words and found.runs == 0


@pytest.fixture
def run(tmp_path: Path) -> RunState:
    made = store.create(store.open_workspace(tmp_path), Settings(), "train", "mine")
    events = [{"kind": "warning", "text": HOSTILE}, {"kind": "ended", "error": HOSTILE}]
    return RunState(made, "failed", fold(events))


def test_what_a_run_says_stays_words(run: RunState) -> None:
    found = Words(html.live(run, html.ended(run), html.warnings(run)))
    assert found.words.count(HOSTILE) == 2 and found.runs == 0


def test_names_around_photos_stay_words(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.new("RGB", (60, 40), "green").save(path)
    mark = photos.Mark((0.1, 0.1, 0.5, 0.5), HOSTILE, unknown(HOSTILE))
    for card in (
        photos.boxed(path, [mark], HOSTILE),
        photos.small(path, [mark], HOSTILE, HOSTILE),
        photos.close_up(path, mark, HOSTILE, HOSTILE),
        photos.object_card(path, (4.0, 4.0, 20.0, 12.0), HOSTILE, [(HOSTILE, unknown(HOSTILE), HOSTILE)]),
    ):
        found = Words(photos.gallery([card]))
        assert HOSTILE in found.words and found.runs == 0


def test_a_photo_that_cannot_be_opened_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (60, 40), "green").save(tmp_path / "large.png")
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    monkeypatch.setattr("core.data.photos.MOST_PIXELS", 60 * 40 - 1)
    for name, words in (
        ("large.png", "this photo is absurdly large"),
        ("broken.jpg", "this is not a photo we can read"),
        ("gone.jpg", "no such photo"),
    ):
        with pytest.raises(UserError, match=f"{name}: {words}"):
            photos.whole(tmp_path / name)

"""Templates escape what they are given, and miss what they are not given."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from core.report.html import Templates

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted([*ROOT.glob("core/**/templates/*.html"), *ROOT.glob("damgui/**/templates/*.html")])
# What is ours: a constant in the template itself, the sheet and the logo that come with the package.
OURS = {'"/<wbr>" | safe', "style | safe", "logo | safe"}


@pytest.fixture
def templates(tmp_path: Path) -> Templates:
    macro = '{% macro said(word) %}<b title="{{ word }}">{{ word }}</b>{% endmacro %}'
    (tmp_path / "parts.html").write_text(macro, encoding="utf-8")
    whole = '{% from "parts.html" import said %}{{ said(word) }}'
    (tmp_path / "whole.html").write_text(whole, encoding="utf-8")
    return Templates(tmp_path)


@pytest.mark.parametrize("word", ["<script>alert(1)</script>", "\"' onload=x", "{{ 7 * 7 }}", "{% raw %}", "&amp;"])
def test_words_are_escaped_in_text_and_attributes_and_never_read_as_a_template(templates: Templates, word: str) -> None:
    drawn = templates.render("whole.html", word=word)
    title, inside = str(drawn).removeprefix('<b title="').removesuffix("</b>").split('">')
    assert title == inside and not set("<>\"'") & set(inside)
    assert unescape(inside) == word
    assert templates.macros("parts.html").said(word) == drawn == "".join(templates.pieces("whole.html", word=word))


def test_html_that_was_made_here_is_not_escaped_again(templates: Templates) -> None:
    assert ">a<i>b</i></b>" in templates.render("whole.html", word=Markup("a<i>b</i>"))


def test_a_name_that_nobody_gave_is_an_error(templates: Templates) -> None:
    with pytest.raises(UndefinedError):
        templates.render("whole.html")
    with pytest.raises(UndefinedError):
        templates.macros("parts.html").said()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_template_lets_words_through_unescaped(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "autoescape" not in text
    assert set(re.findall(r'[\w"/<>.]+ *\| *safe', text)) <= OURS


def test_html_is_made_by_templates_alone() -> None:
    """Tags in Python are in charts (core/report/svg.py), in the mark of a report, and in words of plotly."""
    drawn = re.compile(r"</?(div|p|span|figure|table|tr|td|th|ul|li|dl|dt|dd|h[1-6]|section|button|img|code|small)\b")
    sources = [*ROOT.glob("core/report/*.py"), *ROOT.glob("damgui/**/*.py")]
    assert [source.name for source in sources if drawn.search(source.read_text(encoding="utf-8"))] == []

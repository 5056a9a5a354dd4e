"""The templates of the page. What a template says itself it takes from `text`."""

from __future__ import annotations

from pathlib import Path

from core.report.html import Templates
from damgui import text, theme

TEMPLATES = Templates(Path(__file__).with_name("templates"), text=text, badge_style=theme.badge_style)

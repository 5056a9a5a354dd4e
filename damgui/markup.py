"""The templates of the page. What a template says itself it takes from `text`."""

from __future__ import annotations

from pathlib import Path

from core.report.html import Templates
from core.report.palette import CONDITION_FILL
from damgui import text

TEMPLATES = Templates(Path(__file__).with_name("templates"), text=text, known_conditions=CONDITION_FILL)

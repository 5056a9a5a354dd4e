"""How the page looks: one palette for light and dark, system fonts, nothing from the network."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import gradio as gr

from core.conditions import Condition

ASSETS = Path(__file__).resolve().parent / "assets"

# Lines and bars that are no condition: 3:1 or better against both backgrounds.
WATER = "#2f8fc9"
CLAY = "#b8682f"
SLATE = "#7b8794"
PLUM = "#9a63b8"
GOOD, WARN, BAD = "#14918a", "#e0a11b", "#c9374a"

LIGHT_CARD, DARK_CARD = "#ffffff", "#17212b"  # --dg-card in page.css
SOFT = 0x26 / 0xFF  # how much of a condition's colour lies behind its name
LEAST_CONTRAST = 4.5  # of text (WCAG 2.1, AA)

_SANS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif"]
_MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace"]


LOGO = (ASSETS / "favicon.svg").read_text(encoding="utf-8").strip()


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, 0 to 1 (WCAG 2.1)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(colour: str, ground: str) -> float:
    """1 (the same) to 21 (black and white)."""
    light, dark = sorted((luminance(colour), luminance(ground)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def mixed(first: str, second: str, share: float) -> str:
    """`share` of one colour in another."""
    parts = [(int(first[at : at + 2], 16), int(second[at : at + 2], 16)) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(share * mine + (1 - share) * its):02x}" for mine, its in parts)


@lru_cache(maxsize=64)
def inks(fill: str) -> tuple[str, str]:
    """A colour as text on its own soft ground, for the light and for the dark page: readable whatever the colour is."""
    found = []
    for card, end in ((LIGHT_CARD, "#000000"), (DARK_CARD, "#ffffff")):
        ground = mixed(fill, card, SOFT)
        steps = [mixed(fill, end, 1 - step / 20) for step in range(21)]
        found.append(next(shade for shade in steps if contrast(shade, ground) >= LEAST_CONTRAST))
    return found[0], found[1]


def badge_style(condition: Condition) -> str:
    """A badge's colours as CSS variables: its soft ground, and its text on the light and on the dark page."""
    ink, lit = inks(condition.colour)
    return f"--soft:{condition.colour}{round(255 * SOFT):02x};--ink:{ink};--lit:{lit}"


def css() -> str:
    return (ASSETS / "page.css").read_text(encoding="utf-8")


def script(name: str) -> str:
    """JavaScript of one of the page's own components (assets/<name>.js)."""
    return (ASSETS / f"{name}.js").read_text(encoding="utf-8")


def theme() -> gr.themes.Base:
    """Gradio's plain theme in damgui's colours; every value has its dark twin."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.sky,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_md,
        spacing_size=gr.themes.sizes.spacing_md,
        text_size=gr.themes.sizes.text_md,
        font=_SANS,
        font_mono=_MONO,
    ).set(
        body_background_fill="#f3f5f7",
        body_background_fill_dark="#0f161d",
        body_text_color="#16222e",
        body_text_color_dark="#e6edf3",
        body_text_color_subdued="#4d5b69",
        body_text_color_subdued_dark="#a3b3c2",
        background_fill_primary="#ffffff",
        background_fill_primary_dark="#17212b",
        background_fill_secondary="#f3f5f7",
        background_fill_secondary_dark="#121b24",
        block_background_fill="#ffffff",
        block_background_fill_dark="#17212b",
        block_border_width="0px",
        block_shadow="none",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_text_color="#33424f",
        block_label_text_color_dark="#c3d0dc",
        block_title_text_color="#24323f",
        block_title_text_color_dark="#d3dee8",
        block_title_text_weight="600",
        block_info_text_color="#4d5b69",
        block_info_text_color_dark="#a3b3c2",
        border_color_primary="#d8dfe6",
        border_color_primary_dark="#2b3946",
        input_border_width="1px",
        input_background_fill="#ffffff",
        input_background_fill_dark="#101921",
        input_border_color="#a9b6c2",
        input_border_color_dark="#415466",
        input_border_color_focus="#0b5c8a",
        input_border_color_focus_dark="#5bb3e6",
        input_placeholder_color="#66737f",
        input_placeholder_color_dark="#8fa0af",
        button_primary_background_fill="#0b5c8a",
        button_primary_background_fill_dark="#1a75ab",
        button_primary_background_fill_hover="#094a70",
        button_primary_background_fill_hover_dark="#1f68a0",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#ffffff",
        button_secondary_background_fill="#ffffff",
        button_secondary_background_fill_dark="#1d2a36",
        button_secondary_background_fill_hover="#eaf1f6",
        button_secondary_background_fill_hover_dark="#263745",
        button_secondary_text_color="#0b4a70",
        button_secondary_text_color_dark="#cfe6f5",
        button_secondary_border_color="#a9b6c2",
        button_secondary_border_color_dark="#415466",
        button_border_width="1px",
        checkbox_background_color="#ffffff",
        checkbox_background_color_dark="#101921",
        checkbox_background_color_selected="#0b5c8a",
        checkbox_background_color_selected_dark="#2b8cc4",
        checkbox_border_color="#74828f",
        checkbox_border_color_dark="#6d8093",
        checkbox_label_background_fill="transparent",
        checkbox_label_background_fill_dark="transparent",
        slider_color="#0b5c8a",
        slider_color_dark="#5bb3e6",
    )

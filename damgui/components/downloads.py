"""Files that the page hands out: copies in Gradio's own cache, so that no folder of the workspace is ever served."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.processing_utils import save_file_to_cache
from gradio.utils import get_upload_folder

from damgui import theme


def offer(path: Path) -> str:
    """The path of a copy that the page may serve; the same content is copied once."""
    return str(save_file_to_cache(path, get_upload_folder()))


def hand_out() -> gr.HTML:
    """An invisible part of the page that hands a file to the user when it is given `download(path)`."""
    return gr.HTML(None, html_template="", js_on_load=theme.script("download"), apply_default_css=False, padding=False)


def download(offered: str) -> dict[str, Any]:
    """What `hand_out` takes for a file that was offered; the time makes a second wish for it another one."""
    return {"path": offered, "name": Path(offered).name, "time": time.time_ns()}

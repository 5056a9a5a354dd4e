"""Files that the page hands out: copies in Gradio's own cache, so that no folder of the workspace is ever served."""

from __future__ import annotations

from pathlib import Path

from gradio.processing_utils import save_file_to_cache
from gradio.utils import get_upload_folder


def offer(path: Path) -> str:
    """The path of a copy that the page may serve; the same content is copied once."""
    return str(save_file_to_cache(path, get_upload_folder()))

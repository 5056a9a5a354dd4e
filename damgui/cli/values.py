"""Values as they are typed on the command line."""

from __future__ import annotations

import argparse
from pathlib import Path

from core.errors import UserError


def port(text: str) -> int:
    """The port of `--port`. Raises argparse's error where it is none."""
    if not (text.isdecimal() and int(text) < 1 << 16):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: a whole number from 0 to 65535")
    return int(text)


def assignment(text: str) -> tuple[str, str]:
    """`lora.rank=8` as (path, value). Raises UserError when it assigns nothing."""
    key, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"{text!r} sets nothing", "--set", "Write for example --set lora.rank=8", "setting")
    return key.strip(), value.strip()


def folder_of(text: str | None) -> Path | None:
    """The folder of `--root`; None where none was typed. Raises UserError where there is no such folder."""
    if text is None:
        return None
    folder = Path(text).expanduser()
    if not folder.is_dir():
        raise UserError("there is no such folder", text, "Give a folder that is there, such as --root ~.", "command")
    return folder.resolve()

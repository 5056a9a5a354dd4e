"""`python app.py` serves the page: the same as `damgui app`."""

from __future__ import annotations

import sys

from damgui.cli.commands import main

if __name__ == "__main__":
    raise SystemExit(main(["app", *sys.argv[1:]]))

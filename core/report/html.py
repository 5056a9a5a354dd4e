"""HTML from template files (jinja2), for reports and for the page.

Every value is escaped, and a name that is not defined is an error instead of an empty place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from core import units


class Macros:
    """The macros of one template file, as functions: `Macros(template).badge(condition)`."""

    def __init__(self, module: object) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Callable[..., Markup]:
        macro: Callable[..., Markup] = getattr(self._module, name)
        return macro


class Templates:
    """The templates of one folder; filters named after `core.units` write numbers as they are written everywhere.

    Args:
        folder: holds the files.
        shared: values and functions known in every template.
    """

    def __init__(self, folder: Path, **shared: Any) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(folder),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters |= {
            "count": units.count,
            "decimal": units.decimal,
            "duration": units.duration,
            "interval": units.interval,
            "percent": units.percent,
            "share": units.share,
        }
        self._environment.globals |= shared

    def render(self, name: str, /, **values: Any) -> Markup:
        """A whole file, filled with the values."""
        return Markup(self._environment.get_template(name).render(values))

    def pieces(self, name: str, /, **values: Any) -> Iterator[str]:
        """The same in pieces: of a value that is an iterator one item at a time is taken."""
        return self._environment.get_template(name).generate(values)

    def macros(self, name: str) -> Macros:
        """The macros of a file, as functions."""
        return Macros(self._environment.get_template(name).module)


TEMPLATES = Templates(Path(__file__).with_name("templates"))

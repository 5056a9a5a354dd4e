"""HTML from template files (jinja2), for reports and for the page.

Every value is escaped, and a name that nobody gave is an error instead of an empty place.
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
    """The templates of one folder. In all of them numbers are written as everywhere else: the filters are named after
    `core.units`."""

    def __init__(self, folder: Path, **shared: Any) -> None:
        """`shared` is known in every template."""
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
        """A whole file, filled."""
        return Markup(self._environment.get_template(name).render(values))

    def pieces(self, name: str, /, **values: Any) -> Iterator[str]:
        """The same, piece by piece: what is handed in as an iterator is asked for one item at a time."""
        return self._environment.get_template(name).generate(values)

    def macros(self, name: str) -> Macros:
        return Macros(self._environment.get_template(name).module)


TEMPLATES = Templates(Path(__file__).with_name("templates"))

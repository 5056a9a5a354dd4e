"""Object types x conditions -> classes. Another inspection domain is another YAML file and no code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from core.errors import Problem, UserError
from core.settings import CONFIGS, read_yaml

DEFAULT = CONFIGS / "taxonomy.yaml"
SHAPE = "Compare it with configs/taxonomy.yaml."


@dataclass(frozen=True)
class Taxonomy:
    """What can be asked and answered.

    `allowed` holds the conditions of each object type. `aliases` holds further spellings: of a type or a condition by
    its name, of a whole class by its class name.
    """

    name: str
    question_scene: str
    object_types: tuple[str, ...]
    conditions: tuple[str, ...]
    allowed: Mapping[str, tuple[str, ...]]
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[tuple[str, str], ...]:
        """(object type, condition) pairs, type by type, in the order of the file."""
        return tuple((kind, condition) for kind in self.object_types for condition in self.allowed[kind])

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(self.class_name(kind, condition) for kind, condition in self.classes)

    def class_name(self, object_type: str, condition: str) -> str:
        """`toe drain blocked`, `vegetation normal`: always the type, then the condition."""
        return f"{object_type} {condition}"

    def read_class(self, text: str) -> tuple[str, str] | None:
        """(object type, condition) of a class name as people write it, or None when it is none of ours.

        The whole text must match, so `Toe drain` never swallows `Toe drain- Blocked`.
        """
        return self._spelled.get(key_of(text))

    @cached_property
    def _spelled(self) -> dict[str, tuple[str, str]]:
        return dict(self.spellings())

    def spellings(self) -> Iterator[tuple[str, tuple[str, str]]]:
        """Every known spelling as (key, class); a key that comes twice with two classes is a fault of the file."""
        for kind, condition in self.classes:
            pair = (kind, condition)
            for name in (kind, *self.aliases.get(kind, ())):
                if condition == self.conditions[0]:
                    yield key_of(name), pair
                for word in (condition, *self.aliases.get(condition, ())):
                    yield key_of(name + word), pair
                    yield key_of(word + name), pair
            for whole in self.aliases.get(self.class_name(kind, condition), ()):
                yield key_of(whole), pair


def key_of(text: str) -> str:
    """Letters and digits alone, case folded: `Toe drain- Blocked` and `toe_drain (blocked)` are one key."""
    return "".join(letter for letter in str(text).casefold() if letter.isalnum())


def load(path: str = "") -> Taxonomy:
    """A taxonomy file; "" means the dam taxonomy. Raises UserError naming every fault of the file at once."""
    file = Path(path).expanduser() if path else DEFAULT
    if not file.is_file():
        raise UserError("no such taxonomy file", str(file), "Give a YAML file, or leave it empty.", "taxonomy")
    return from_dict(read_yaml(file), str(file))


def from_dict(tree: Mapping[str, Any], where: str = "") -> Taxonomy:
    """A taxonomy from what its YAML file holds. Raises UserError naming every fault at once."""
    problems: list[Problem] = []

    def wrong(what: str, fix: str = SHAPE) -> None:
        problems.append(Problem(what, where, fix, "taxonomy"))

    conditions = _entries(tree.get("conditions"))
    kinds = _entries(tree.get("object_types"))
    if not conditions:
        wrong("conditions: a list of conditions expected")
    if not kinds:
        wrong("object_types: a list of object types expected")
    allowed: dict[str, tuple[str, ...]] = {}
    for kind, about in kinds.items():
        mine = _words(about.get("conditions", list(conditions)))
        allowed[kind] = tuple(name for name in conditions if name in mine)
        if unknown := [name for name in mine if name not in conditions]:
            wrong(f"{kind}: {', '.join(unknown)} is not among the conditions")
        elif not mine:
            wrong(f"{kind}: no condition at all")
    aliases = {name: _words(about.get("spellings")) for name, about in {**conditions, **kinds}.items()}
    whole = tree.get("class_spellings") or {}
    if isinstance(whole, Mapping):
        aliases |= {str(name): _words(words) for name, words in whole.items()}
    else:
        wrong("class_spellings: class names with their spellings expected")
    taxonomy = Taxonomy(
        name=str(tree.get("name") or "unnamed"),
        question_scene=str(tree.get("scene") or "photo"),
        object_types=tuple(kinds),
        conditions=tuple(conditions),
        allowed=allowed,
        aliases=aliases,
    )
    for name in set(map(str, whole)) - set(taxonomy.class_names):
        wrong(f"class_spellings: {name!r} is not a class", f"Use one of: {', '.join(taxonomy.class_names)}.")
    seen: dict[str, tuple[str, str]] = {}
    for key, pair in taxonomy.spellings() if conditions else ():
        if seen.setdefault(key, pair) != pair:
            names = (taxonomy.class_name(*seen[key]), taxonomy.class_name(*pair))
            wrong(f"the spelling {key!r} means both {names[0]!r} and {names[1]!r}", "Remove it from one of them.")
    if problems:
        raise UserError.of(dict.fromkeys(problems))
    return taxonomy


def _entries(given: Any) -> dict[str, dict[str, Any]]:
    """A list of names, or names with details, as {name: details}."""
    if isinstance(given, Mapping):
        return {str(name): dict(about) if isinstance(about, Mapping) else {} for name, about in given.items()}
    return {name: {} for name in _words(given)}


def _words(given: Any) -> tuple[str, ...]:
    if isinstance(given, str):
        return (given,)
    return tuple(str(word) for word in given) if isinstance(given, (list, tuple)) else ()


def restore(tree: Mapping[str, Any]) -> Taxonomy:
    """The taxonomy that `dataclasses.asdict` wrote beside a model: the one its answers were learned with."""
    return Taxonomy(
        name=tree["name"],
        question_scene=tree["question_scene"],
        object_types=tuple(tree["object_types"]),
        conditions=tuple(tree["conditions"]),
        allowed={kind: tuple(words) for kind, words in tree["allowed"].items()},
        aliases={name: tuple(words) for name, words in tree["aliases"].items()},
    )

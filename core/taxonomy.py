"""Object types x conditions -> classes, and how each is shown. Another domain is another YAML file and no code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from core import conditions as looks
from core.conditions import Condition
from core.errors import Problem, UserError
from core.settings import CONFIGS, read_yaml

DEFAULT = CONFIGS / "taxonomy.yaml"
SHAPE = "Compare it with configs/taxonomy.yaml."
KEYS = ("name", "scene", "conditions", "object_types", "class_spellings")
KIND_KEYS = ("conditions", "spellings", "observed")


@dataclass(frozen=True)
class Taxonomy:
    """What can be asked and answered.

    `conditions` go from the least grave to the gravest. `allowed` holds the conditions of each object type. `aliases`
    holds further spellings: of a type or a condition by its name, of a whole class by its class name. `details` says of
    each condition whether it alarms and how it is shown; without them it is derived from the names. `observed` types
    have no good or bad state: what they are called stays what is asked, stored and scored, but page and report say
    "present".
    """

    name: str
    question_scene: str
    object_types: tuple[str, ...]
    conditions: tuple[str, ...]
    allowed: Mapping[str, tuple[str, ...]]
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    details: Mapping[str, Condition] = field(default_factory=dict)
    observed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.details:
            object.__setattr__(self, "details", looks.derived(self.conditions, _shipped("conditions")))

    @property
    def alarming(self) -> tuple[str, ...]:
        """The conditions that somebody must look at, from the least grave to the gravest."""
        return tuple(name for name in self.conditions if self.details[name].alarm)

    @property
    def legend(self) -> tuple[Condition, ...]:
        """All that an object may be shown as."""
        return (*self.details.values(), *((looks.PRESENT,) if self.observed else ()))

    def condition(self, name: str) -> Condition:
        """A condition by its name; one that is none of ours is shown in grey."""
        return self.details.get(name) or (looks.PRESENT if name == looks.PRESENT.name else looks.unknown(name))

    def shown(self, object_type: str, condition: str) -> Condition:
        """How page and report show an object of a type in a condition: as the condition, or as present."""
        return looks.PRESENT if object_type in self.observed else self.condition(condition)

    def shown_class(self, class_name: str) -> str:
        """How page and report call a class: `vegetation normal`, where vegetation is only observed, is present."""
        kind, _ = self.split_class(class_name)
        return f"{kind} {looks.PRESENT.name}" if kind in self.observed else class_name

    def of_class(self, class_name: str) -> Condition:
        """How page and report show the condition in a class name."""
        return self.shown(*self.split_class(class_name))

    def split_class(self, class_name: str) -> tuple[str, str]:
        """(object type, condition) of a class name, also of a type that is not ours; the last word where neither is."""
        if class_name in self._by_name:
            return self._by_name[class_name]
        ends = [
            condition
            for condition in self.conditions
            if class_name.endswith(f" {condition}") or class_name == condition
        ]
        condition = max(ends, key=len, default=class_name.rpartition(" ")[2])
        return class_name.removesuffix(condition).rstrip(), condition

    @cached_property
    def _by_name(self) -> dict[str, tuple[str, str]]:
        return {self.class_name(*pair): pair for pair in self.classes}

    def shown_counts(self, conditions: Mapping[str, int], classes: Mapping[str, int]) -> dict[Condition, int]:
        """How many objects have which condition, those of observed types apart; `classes` counts by class name."""
        present = {name: count for name, count in classes.items() if self.split_class(name)[0] in self.observed}
        counts = Counter(conditions)
        for name, count in present.items():
            counts[self.split_class(name)[1]] -= count
        shown = {self.condition(name): count for name, count in counts.items()}
        return shown | ({looks.PRESENT: sum(present.values())} if present else {})

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

    def read_type(self, text: str) -> str | None:
        """The object type of a text that names a type alone, without a condition."""
        return self._types.get(key_of(text))

    def read_condition(self, text: str) -> str | None:
        """The condition of a text that names a condition alone."""
        return self._conditions.get(key_of(text))

    @cached_property
    def _types(self) -> dict[str, str]:
        return {key_of(word): kind for kind in self.object_types for word in (kind, *self.aliases.get(kind, ()))}

    @cached_property
    def _conditions(self) -> dict[str, str]:
        return {key_of(word): name for name in self.conditions for word in (name, *self.aliases.get(name, ()))}

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

    if strange := [str(key) for key in tree if key not in KEYS]:
        wrong(f"{', '.join(strange)}: no such part of a taxonomy", f"It has: {', '.join(KEYS)}.")
    conditions = _entries(tree.get("conditions"), "conditions", wrong)
    kinds = _entries(tree.get("object_types"), "object_types", wrong)
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
    observed = _observed(kinds, allowed, wrong)
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
        details=looks.read(conditions, _shipped("conditions"), wrong),
        observed=observed,
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


def _observed(
    kinds: Mapping[str, Mapping[str, Any]], allowed: Mapping[str, tuple[str, ...]], wrong: Callable[[str, str], None]
) -> tuple[str, ...]:
    """The types that are marked, or that are in the taxonomy that comes along and not unmarked here."""
    found = []
    for kind, about in kinds.items():
        if strange := [str(key) for key in about if key not in KIND_KEYS]:
            wrong(f"{kind}: nothing is known of {', '.join(strange)}", f"A type has: {', '.join(KIND_KEYS)}.")
        mark = about.get("observed", len(allowed[kind]) == 1 and kind in _shipped_observed())
        if not isinstance(mark, bool):
            wrong(f"{kind}: observed is {mark!r}, neither true nor false", "Write observed: true or observed: false.")
        elif mark and len(allowed[kind]) > 1:
            fix = "Give it one condition, or write observed: false."
            wrong(f"{kind} is only observed and has {len(allowed[kind])} conditions", fix)
        elif mark:
            found.append(kind)
    return tuple(found)


@lru_cache(maxsize=1)
def _shipped_file() -> dict[str, Any]:
    return read_yaml(DEFAULT)


def _shipped(part: str) -> dict[str, dict[str, Any]]:
    """What the taxonomy that comes along says of its conditions or object types, for files that leave it out."""
    return _entries(_shipped_file().get(part), part, lambda what, fix: None)


def _shipped_observed() -> tuple[str, ...]:
    return tuple(kind for kind, about in _shipped("object_types").items() if about.get("observed"))


def _entries(given: Any, part: str, wrong: Callable[[str, str], None]) -> dict[str, dict[str, Any]]:
    """A list of names, or names with details, as {name: details}."""
    if not isinstance(given, Mapping):
        return {name: {} for name in _words(given)}
    for name, about in given.items():
        if about is not None and not isinstance(about, Mapping):
            wrong(f"{part}: {name} holds {about!r}", f"Write {name}: {{}}, or its details in the braces.")
    return {str(name): dict(about) if isinstance(about, Mapping) else {} for name, about in given.items()}


def _words(given: Any) -> tuple[str, ...]:
    if isinstance(given, str):
        return (given,)
    return tuple(str(word) for word in given) if isinstance(given, (list, tuple)) else ()


def restore(tree: Mapping[str, Any]) -> Taxonomy:
    """The taxonomy that `dataclasses.asdict` wrote beside a model: the one its answers were learned with.

    Older ones say nothing of alarms, looks and observed types: these are derived from the names.
    """
    allowed = {kind: tuple(words) for kind, words in tree["allowed"].items()}
    single = tuple(kind for kind in _shipped_observed() if len(allowed.get(kind, ())) == 1)
    return Taxonomy(
        name=tree["name"],
        question_scene=tree["question_scene"],
        object_types=tuple(tree["object_types"]),
        conditions=tuple(tree["conditions"]),
        allowed=allowed,
        aliases={name: tuple(words) for name, words in tree["aliases"].items()},
        details={name: Condition(**about) for name, about in (tree.get("details") or {}).items()},
        observed=tuple(tree.get("observed", single)),
    )


def of_results(path: str, results: Mapping[str, Any]) -> Taxonomy:
    """The taxonomy of judged results, with the alarms that they were scored with.

    Where its file was moved since, one is made of the names in the results.
    """
    alarms = tuple(results.get("alarms") or ())
    try:
        found = load(path)
    except UserError:
        found = _of_names(results, alarms)
    if not alarms:
        return found
    return replace(
        found, details={name: replace(condition, alarm=name in alarms) for name, condition in found.details.items()}
    )


def _of_names(results: Mapping[str, Any], alarms: tuple[str, ...]) -> Taxonomy:
    names = tuple(results.get("per_condition") or results.get("conditions") or ())
    # Scores stand in the order of the alphabet, alarms in that of gravity.
    conditions = (*(name for name in names if name not in alarms), *alarms)
    bare = Taxonomy("unnamed", "photo", (), conditions, {})
    pairs = [bare.split_class(name) for name in results.get("per_class") or results.get("classes") or ()]
    kinds = tuple(dict.fromkeys(kind for kind, _ in pairs))
    allowed = {kind: tuple(name for name in conditions if (kind, name) in pairs) for kind in kinds}
    return replace(bare, object_types=kinds, allowed=allowed)

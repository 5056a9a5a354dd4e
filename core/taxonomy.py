"""Object types x conditions -> classes, and how each is shown. Another domain is another YAML file, not other code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from core.conditions import PRESENT, Condition, from_names, read_conditions, unknown
from core.errors import Problem, UserError
from core.settings import CONFIGS, read_yaml

DEFAULT = CONFIGS / "taxonomy.yaml"
SHAPE = "Compare it with configs/taxonomy.yaml."
KEYS = ("name", "scene", "conditions", "object_types", "class_spellings")
KIND_KEYS = ("conditions", "spellings", "observed")
SWITCHES = ("alarm", "observed")
ON_OFF = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass(frozen=True)
class Taxonomy:
    """The object types, conditions and classes of a domain.

    Attributes:
        name: The domain's name.
        question_scene: The words of a question for what a photo shows.
        object_types: Names of the types, in the order of the file.
        conditions: Names of the conditions, from the least grave to the gravest.
        allowed: The conditions of each object type.
        aliases: Further spellings: of a type or a condition by its name, of a whole class by its class name.
        details: For each condition whether it raises an alarm and how it is shown; when empty, derived from the names.
        observed: Types that have no good or bad state. Their condition's name is used in questions, files and scores,
            but page and report show "present".
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
            object.__setattr__(self, "details", from_names(self.conditions, _shipped("conditions")))

    @property
    def alarming(self) -> tuple[str, ...]:
        """The conditions that need attention, from the least grave to the gravest."""
        return tuple(name for name in self.conditions if self.details[name].alarm)

    @property
    def legend(self) -> tuple[Condition, ...]:
        """Everything that an object may be shown as: the conditions, and "present" where types are only observed."""
        return (*self.details.values(), *((PRESENT,) if self.observed else ()))

    def condition(self, name: str) -> Condition:
        """A condition by its name; one that is not of this taxonomy is shown in grey."""
        return self.details.get(name) or (PRESENT if name == PRESENT.name else unknown(name))

    def shown(self, object_type: str, condition: str) -> Condition:
        """How page and report show an object of a type in a condition: as the condition, or as present."""
        return PRESENT if object_type in self.observed else self.condition(condition)

    def shown_class(self, class_name: str) -> str:
        """The name of a class on page and report: `vegetation present` where vegetation is only observed."""
        kind, _ = self.split_class(class_name)
        return f"{kind} {PRESENT.name}" if kind in self.observed else class_name

    def of_class(self, class_name: str) -> Condition:
        """How page and report show the condition of a class, from its class name."""
        return self.shown(*self.split_class(class_name))

    def split_class(self, class_name: str) -> tuple[str, str]:
        """Split a class name into (object type, condition).

        A type that is not of this taxonomy is recognised by a known condition at the name's end; where that is unknown
        too, the last word counts as the condition.
        """
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
        """Counts of objects by how they are shown: by condition, those of observed types as "present".

        Args:
            conditions: Counts of all objects by condition.
            classes: Counts of the same objects by class name.
        """
        present = {name: count for name, count in classes.items() if self.split_class(name)[0] in self.observed}
        counts = Counter(conditions)
        for name, count in present.items():
            counts[self.split_class(name)[1]] -= count
        shown = {self.condition(name): count for name, count in counts.items()}
        return shown | ({PRESENT: sum(present.values())} if present else {})

    @property
    def classes(self) -> tuple[tuple[str, str], ...]:
        """(object type, condition) pairs, type by type, in the order of the file."""
        return tuple((kind, condition) for kind in self.object_types for condition in self.allowed[kind])

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of all `classes`, in their order."""
        return tuple(self.class_name(kind, condition) for kind, condition in self.classes)

    def class_name(self, object_type: str, condition: str) -> str:
        """The name of a class, such as `toe drain blocked`: the type, then the condition."""
        return f"{object_type} {condition}"

    def read_class(self, text: str) -> tuple[str, str] | None:
        """(object type, condition) of a class name as people spell it; None when it is not of this taxonomy.

        The whole text must match, so that `Toe drain` never matches `Toe drain- Blocked`.
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
        """Every known spelling as (its `key_of`, class); one key with two classes is a fault of the taxonomy's file."""
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
    """Letters and digits of `text`, case folded: `Toe drain- Blocked` and `toe_drain (blocked)` have the same key."""
    return "".join(letter for letter in str(text).casefold() if letter.isalnum())


def load(path: str = "") -> Taxonomy:
    """Read a taxonomy from a YAML file.

    Args:
        path: The file; "" means the dam taxonomy in `configs`.

    Raises:
        UserError: The file is missing or faulty; it names all faults at once.
    """
    file = Path(path).expanduser() if path else DEFAULT
    if not file.is_file():
        raise UserError("no such taxonomy file", str(file), "Give a YAML file, or leave it empty.", "taxonomy")
    return from_dict(_typed(read_yaml(file, as_text=True)), str(file))


def _typed(tree: Any, key: str = "") -> Any:
    """What a file holds, of which only switches and weights are more than text."""
    if isinstance(tree, dict):
        return {name: _typed(value, name) for name, value in tree.items()}
    if key in SWITCHES and isinstance(tree, str) and tree.lower() in ON_OFF:
        return ON_OFF[tree.lower()]
    if key == "weight":
        try:
            return float(tree)
        except (TypeError, ValueError):
            return tree
    return None if tree in ("", "~", "null") else tree


def from_dict(tree: Mapping[str, Any], where: str = "") -> Taxonomy:
    """Build a taxonomy from the mapping that its YAML file holds.

    Args:
        tree: The mapping; see `configs/taxonomy.yaml` for its keys.
        where: The file's name, for the error's text.

    Raises:
        UserError: Something is wrong with it; it names all faults at once.
    """
    problems: list[Problem] = []

    def report(what: str, fix: str = SHAPE) -> None:
        problems.append(Problem(what, where, fix, "taxonomy"))

    if unknown_keys := [str(key) for key in tree if key not in KEYS]:
        report(f"{', '.join(unknown_keys)}: no such part of a taxonomy", f"It has: {', '.join(KEYS)}.")
    conditions = _entries(tree.get("conditions"), "conditions", report)
    kinds = _entries(tree.get("object_types"), "object_types", report)
    if not conditions:
        report("conditions: a list of conditions expected")
    if not kinds:
        report("object_types: a list of object types expected")
    allowed: dict[str, tuple[str, ...]] = {}
    for kind, details in kinds.items():
        names = _words(details.get("conditions", list(conditions)))
        allowed[kind] = tuple(name for name in conditions if name in names)
        if undeclared := [name for name in names if name not in conditions]:
            report(f"{kind}: {', '.join(undeclared)} is not among the conditions")
        elif not names:
            report(f"{kind}: no condition at all")
    observed = _observed(kinds, allowed, report)
    aliases = {name: _words(details.get("spellings")) for name, details in {**conditions, **kinds}.items()}
    whole = tree.get("class_spellings") or {}
    if isinstance(whole, Mapping):
        aliases |= {str(name): _words(words) for name, words in whole.items()}
    else:
        report("class_spellings: class names with their spellings expected")
    taxonomy = Taxonomy(
        name=str(tree.get("name") or "unnamed"),
        question_scene=str(tree.get("scene") or "photo"),
        object_types=tuple(kinds),
        conditions=tuple(conditions),
        allowed=allowed,
        aliases=aliases,
        details=read_conditions(conditions, _shipped("conditions"), report),
        observed=observed,
    )
    for name in set(map(str, whole)) - set(taxonomy.class_names):
        report(f"class_spellings: {name!r} is not a class", f"Use one of: {', '.join(taxonomy.class_names)}.")
    seen: dict[str, tuple[str, str]] = {}
    for key, pair in taxonomy.spellings() if conditions else ():
        if seen.setdefault(key, pair) != pair:
            names = (taxonomy.class_name(*seen[key]), taxonomy.class_name(*pair))
            report(f"the spelling {key!r} means both {names[0]!r} and {names[1]!r}", "Remove it from one of them.")
    if problems:
        raise UserError.of(dict.fromkeys(problems))
    return taxonomy


def _observed(
    kinds: Mapping[str, Mapping[str, Any]], allowed: Mapping[str, tuple[str, ...]], report: Callable[[str, str], None]
) -> tuple[str, ...]:
    """The types marked as observed here, or in the shipped taxonomy unless it is unmarked here."""
    found = []
    for kind, details in kinds.items():
        if unknown_keys := [str(key) for key in details if key not in KIND_KEYS]:
            report(f"{kind}: nothing is known of {', '.join(unknown_keys)}", f"A type has: {', '.join(KIND_KEYS)}.")
        mark = details.get("observed", len(allowed[kind]) == 1 and kind in _shipped_observed())
        if not isinstance(mark, bool):
            report(f"{kind}: observed is {mark!r}, neither true nor false", "Write observed: true or observed: false.")
        elif mark and len(allowed[kind]) > 1:
            fix = "Give it one condition, or write observed: false."
            report(f"{kind} is only observed and has {len(allowed[kind])} conditions", fix)
        elif mark:
            found.append(kind)
    return tuple(found)


@lru_cache(maxsize=1)
def _shipped_file() -> dict[str, Any]:
    shipped: dict[str, Any] = _typed(read_yaml(DEFAULT, as_text=True))
    return shipped


def _shipped(part: str) -> dict[str, dict[str, Any]]:
    """The conditions or object types of the shipped taxonomy: defaults for files that leave details out."""
    return _entries(_shipped_file().get(part), part, lambda what, fix: None)


def _shipped_observed() -> tuple[str, ...]:
    return tuple(kind for kind, details in _shipped("object_types").items() if details.get("observed"))


def _entries(given: Any, part: str, report: Callable[[str, str], None]) -> dict[str, dict[str, Any]]:
    """A list of names, or a mapping of names to details, as {name: details}."""
    if not isinstance(given, Mapping):
        return {name: {} for name in _words(given)}
    for name, details in given.items():
        if details is not None and not isinstance(details, Mapping):
            report(f"{part}: {name} holds {details!r}", f"Write {name}: {{}}, or its details in the braces.")
    return {str(name): dict(details) if isinstance(details, Mapping) else {} for name, details in given.items()}


def _words(given: Any) -> tuple[str, ...]:
    if isinstance(given, str):
        return (given,)
    return tuple(str(word) for word in given) if isinstance(given, (list, tuple)) else ()


def restore(tree: Mapping[str, Any]) -> Taxonomy:
    """The taxonomy a model was trained with, from what `dataclasses.asdict` made of it for damgui.json.

    Older files lack alarms, colours, marks and observed types: these are derived from the names.
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
        details={name: Condition(**known) for name, known in (tree.get("details") or {}).items()},
        observed=tuple(tree.get("observed", single)),
    )


def of_results(path: str, results: Mapping[str, Any]) -> Taxonomy:
    """The taxonomy of results, with the alarms that they were scored with.

    Args:
        path: The taxonomy's file as in the run's settings; "" means the dam taxonomy. When it can no longer be read, a
            taxonomy is made of the names in the results.
        results: What a results.json holds.
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

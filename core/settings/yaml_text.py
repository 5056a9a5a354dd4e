"""YAML within limits: a few lines can nest deeper than Python goes, or repeat themselves into gigabytes."""

from __future__ import annotations

from typing import Any

import yaml

MOST_CHARACTERS = 1 << 19  # ImageNet's 21,841 class names have 450,000; more would be read for minutes
MOST_NODES = 200_000  # values, with every repetition by an alias (`*name`) counted


class YamlLimitError(yaml.YAMLError):
    """The text is larger than MOST_CHARACTERS, nests too deep, or its aliases repeat it beyond MOST_NODES values."""


def load_yaml(text: str, as_text: bool = False) -> Any:
    """The one document of a YAML text, as plain values.

    Args:
        text: the YAML.
        as_text: whether every value stays the text that it is written as: no, null and 1.10 are names as well.

    Raises:
        yaml.YAMLError: it is no valid YAML, or a YamlLimitError whose text says which limit it exceeds.
    """
    if len(text) > MOST_CHARACTERS:
        raise YamlLimitError(f"this YAML has more than {MOST_CHARACTERS:,} characters")
    loader = (yaml.BaseLoader if as_text else yaml.SafeLoader)(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if _size(node, {}) > MOST_NODES:
            raise YamlLimitError("this YAML repeats itself without end by its aliases")
        return loader.construct_document(node)
    except RecursionError as error:
        raise YamlLimitError("this YAML is nested too deep") from error
    except ValueError as error:  # a date like 2026-13-40
        raise yaml.YAMLError(str(error)) from error
    finally:
        loader.dispose()


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """The values of a node, repeated ones counted as often as they appear; more than MOST_NODES where it holds itself.

    Args:
        node: as composed: what an alias repeats is the same node again.
        known: the sizes found so far, by the node's identity.
    """
    if id(node) not in known:
        known[id(node)] = MOST_NODES + 1  # stands while its parts are counted: a node among its own parts has no end
        parts = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
        inside = () if isinstance(node, yaml.ScalarNode) else parts
        known[id(node)] = 1 + sum(_size(part, known) for part in inside)
    return known[id(node)]

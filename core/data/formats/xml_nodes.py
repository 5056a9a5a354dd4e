"""XML as nodes with lines; a document type is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat


class DoctypeFound(ValueError):
    """The file declares a document type: with entities a small file unpacks to gigabytes, so none is read."""


@dataclass
class Node:
    """An XML element with the line where it starts; the standard tree does not keep lines."""

    tag: str
    line: int
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: list[Node] = field(default_factory=list)

    def findall(self, tag: str) -> Iterator[Node]:
        """The children of that name."""
        return (child for child in self.children if child.tag == tag)

    def leaves(self) -> Iterator[Node]:
        """The elements below it that hold none themselves, in their order."""
        for child in self.children:
            yield from child.leaves() if child.children else (child,)

    def findtext(self, tag: str) -> str:
        """The text of the first child of that name, or ""."""
        return next((child.text.strip() for child in self.findall(tag)), "")


def parse_xml(text: str) -> Node:
    """The root element of an XML text.

    Raises:
        expat.ExpatError: the text is no XML.
        DoctypeFound: it declares a document type.
    """
    parser = expat.ParserCreate("utf-8")
    top = Node("", 0)
    open_nodes = [top]

    def start(tag: str, attributes: dict[str, str]) -> None:
        node = Node(tag, parser.CurrentLineNumber, attributes)
        open_nodes[-1].children.append(node)
        open_nodes.append(node)

    def end(_: str) -> None:
        open_nodes.pop()

    def characters(data: str) -> None:
        open_nodes[-1].text += data

    def doctype(*_: object) -> None:
        raise DoctypeFound

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = characters, doctype
    parser.Parse(text.encode("utf-8"), True)
    return top.children[0]

"""The documents of this folder, as rows of the knowledge base before they are embedded."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from uuid import UUID, uuid5

GLOBAL_SCOPE = "global"
# Tells our documents from those that others put into the knowledge base.
BUILTIN = "builtin"

_NAMESPACE = UUID("5d3c2f0e-7c1b-4c55-9a5e-2f5f0c7e1a43")
# The kind of document, by file, and what its metadata calls the document's key.
_KINDS = {
    "tool_docs": ("tool_doc", "tool_name"),
    "domain_primers": ("domain_primer", "topic"),
    "faq": ("faq", "question_type"),
}


@dataclass(frozen=True)
class BuiltinDocument:
    """A document of ours. Its id follows from its kind and key, so that it is never stored twice.

    Attributes:
        metadata: `type`, the key under the name that goes with the type, and `seed`.
    """

    id: UUID
    scope: str
    title: str
    content: str
    metadata: dict[str, str]


@cache
def builtin_documents() -> tuple[BuiltinDocument, ...]:
    """Every document of ours."""
    return tuple(document for name in _KINDS for document in _documents_of(name))


def _documents_of(name: str) -> Iterator[BuiltinDocument]:
    text = files("app").joinpath("agent", "knowledge", f"{name}.toml").read_text(encoding="utf-8")
    kind, key_name = _KINDS[name]
    for key, entry in tomllib.loads(text).items():
        yield BuiltinDocument(
            id=uuid5(_NAMESPACE, f"{kind}/{key}"),
            scope=GLOBAL_SCOPE,
            title=entry["title"],
            content=entry["content"].strip(),
            metadata={"type": kind, key_name: key, "seed": BUILTIN},
        )

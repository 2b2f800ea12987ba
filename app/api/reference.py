"""/docs: every operation and shape of the OpenAPI document on one page, which needs no script and
nothing from elsewhere."""

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)
_STYLE = (
    "body{font:15px/1.5 system-ui;max-width:70rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}td{padding:.1rem 1rem .1rem 0;vertical-align:top}"
    "summary{cursor:pointer;font-family:monospace}details{margin:.3rem 0}"
)


@router.get("/docs")
async def page(request: Request) -> HTMLResponse:
    """The page, with each shape behind a link."""
    return HTMLResponse("".join(_lines(request.app.openapi())))


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    yield f"<!doctype html><meta charset=utf-8><title>{title}</title><style>{_STYLE}</style>"
    yield f"<h1>{title}</h1><p>The same for programs: <a href=openapi.json>openapi.json</a></p>"
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield _folded(f"{method.upper()} {path}", _operation(operation))
    yield "<h2>Shapes</h2>"
    for name, schema in document["components"]["schemas"].items():
        # Within, because a browser opens what it is led into.
        yield _folded(name, f"<a id={escape(name, quote=True)}></a>{_fields(schema)}")


def _folded(heading: str, inside: str) -> str:
    return f"<details><summary>{escape(heading)}</summary>{inside}</details>"


def _operation(operation: Mapping[str, Any]) -> str:
    given = [
        (f"{one['name']} ({one['in']})", _shape(one.get("schema", {})))
        for one in operation.get("parameters", ())
    ]
    given += [("body", _content(operation["requestBody"]))] if "requestBody" in operation else []
    answers = [(code, _content(one)) for code, one in operation["responses"].items()]
    said = operation.get("description") or operation.get("summary", "")
    return f"<p>{escape(said)}</p>{_table(given)}<p>answers</p>{_table(answers)}"


def _content(part: Mapping[str, Any]) -> str:
    shapes = (_shape(one.get("schema", {})) for one in part.get("content", {}).values())
    return " or ".join(shapes) or escape(part.get("description", ""))


def _fields(schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    return _table(
        (name if name in required else f"{name}?", _shape(field))
        for name, field in schema.get("properties", {}).items()
    ) or _shape(schema)


def _shape(schema: Mapping[str, Any]) -> str:
    """A type in words, those of ours as links."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rsplit("/", 1)[1], quote=True)
        return f"<a href=#{name}>{name}</a>"
    if "anyOf" in schema:
        return " or ".join(map(_shape, schema["anyOf"]))
    if schema.get("type") == "array":
        return f"list of {_shape(schema.get('items', {}))}"
    values = schema.get("enum") or [schema.get("const") or schema.get("format")]
    return escape(" ".join([schema.get("type", "anything"), *(str(v) for v in values if v)]))


def _table(rows: Iterable[tuple[str, str]]) -> str:
    lines = "".join(f"<tr><td>{escape(name)}<td>{shape}" for name, shape in rows)
    return f"<table>{lines}</table>" if lines else ""

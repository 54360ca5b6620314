"""``GET /openapi.json``: every route of this server, generated from the registry.

It tells what the release can do, nothing of a cluster, so that it is read without a token.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from types import UnionType
from typing import Any, Final, get_args

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from agentctl import __version__
from agentctl.faces.http.problems import HEADERS, OK
from agentctl_tools.operation import Envelope, Operation
from agentctl_tools.projections import HTTP_FORCED, http_operations
from agentctl_tools.result_schema import ANYTHING

OPENAPI: Final = "3.1.0"
_TEMPLATE: Final = "#/components/schemas/{name}"
_ERRORS: Final[Mapping[str, str]] = {
    "400": "The arguments are not what the operation takes.",
    "401": "No bearer token, or one that is none.",
    "403": "Policy does not permit it, or it is a human's consent.",
    "404": "There is no such thing, or none that the caller may see.",
    "409": "Somebody else was faster, or a decision is awaited.",
    "413": "The body is larger than the route takes.",
    "422": "Understood, and refused.",
    "429": "Over the quota; Retry-After says when to come again.",
    "503": "The storage does not answer, or the graph is withheld.",
}


async def get(_request: Request) -> Response:
    """Answers with the document."""
    return Response(_bytes(), status_code=OK, media_type="application/json", headers=dict(HEADERS))


@cache
def _bytes() -> bytes:
    return msgspec.json.encode(document())


def document() -> dict[str, Any]:
    """Returns the document."""
    from agentctl.faces.http.graphs import ROUTES

    operations = http_operations()
    kinds = dict.fromkeys(
        (Envelope, *(o.arguments for o in operations), *(k for o in operations for k in _kinds(o)))
    )
    schemas, components = msgspec.json.schema_components(
        tuple(kinds), schema_hook=lambda _: ANYTHING, ref_template=_TEMPLATE
    )
    schema_of = dict(zip(kinds, schemas, strict=True))
    envelope = schema_of[Envelope]
    paths: dict[str, Any] = {
        f"/v1/ops/{o.name}": {
            "post": _call(
                o, envelope, schema_of[o.arguments], tuple(schema_of[k] for k in _kinds(o))
            )
        }
        for o in operations
    }
    paths["/v1/ops/{op}/events"] = {"get": _events()}
    paths |= _plain(envelope)
    for route in ROUTES:
        paths.setdefault(route.path.replace(":path}", "}"), {})[route.method.lower()] = (
            route.described()
        )
    return {
        "openapi": OPENAPI,
        "info": {
            "title": "agentctl",
            "version": __version__,
            "description": "A cluster of graph databases, through its one door. "
            "What cannot be undone waits for a human, who decides elsewhere.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _kinds(operation: Operation) -> tuple[Any, ...]:
    """Returns the types that the data of an operation may have; none where it is free."""
    result = operation.result
    if result is None:
        return ()
    return get_args(result) if isinstance(result, UnionType) else (result,)


def _call(
    operation: Operation,
    envelope: Mapping[str, Any],
    arguments: Mapping[str, Any],
    data: tuple[Mapping[str, Any], ...],
) -> dict[str, Any]:
    result: Mapping[str, Any] = envelope
    if data:
        told_data = {"anyOf": [*data, {"type": "null"}]}
        result = {"allOf": [envelope, {"properties": {"data": told_data}}]}
    forced = HTTP_FORCED.get(operation.name)
    told = f" Always with {dict(forced)}." if forced else ""
    responses: dict[str, Any] = {
        "200": {
            "description": "Done, or looked at.",
            "content": {
                "application/json": {"schema": result},
                "text/event-stream": {"schema": {"type": "string"}},
            },
        }
    }
    return {
        "operationId": operation.name,
        "summary": operation.describe + told,
        "tags": [operation.operation_class],
        "x-agentctl-class": operation.operation_class,
        "x-agentctl-action": operation.action,
        "requestBody": {"content": {"application/json": {"schema": arguments}}},
        "responses": {**responses, **_refusals(envelope)},
    }


def _refusals(envelope: Mapping[str, Any], statuses: Iterable[str] = _ERRORS) -> dict[str, Any]:
    return {
        status: {
            "description": _ERRORS[status],
            "content": {"application/json": {"schema": envelope}},
        }
        for status in statuses
    }


def _events() -> dict[str, Any]:
    return {
        "operationId": "op_events",
        "summary": "Look. What a run tells while it goes on, and how its op stands.",
        "parameters": [
            {"name": "op", "in": "path", "required": True, "schema": {"type": "string"}},
            {"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}},
        ],
        "responses": {
            "200": {
                "description": "Events until the op is over.",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            }
        },
    }


def _plain(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the routes that lead to no operation."""
    yes_no = {"application/json": {"schema": {"type": "object"}}}
    answers = {"200": {"description": "Yes.", "content": yes_no}}
    no = {"503": {"description": "No.", "content": yes_no}}
    text = {"text/plain": {"schema": {"type": "string"}}}
    return {
        "/healthz": {
            "get": {
                "operationId": "healthz",
                "summary": "The process answers.",
                "security": [],
                "responses": answers,
            }
        },
        "/readyz": {
            "get": {
                "operationId": "readyz",
                "summary": "Requests can be served.",
                "security": [],
                "responses": {**answers, **no},
            }
        },
        "/metrics": {
            "get": {
                "operationId": "metrics",
                "summary": "Counts, in Prometheus' text format.",
                "responses": {
                    "200": {"description": "The counts.", "content": text},
                    **_refusals(envelope, ("401", "403")),
                },
            }
        },
        "/openapi.json": {
            "get": {
                "operationId": "openapi",
                "summary": "This document.",
                "security": [],
                "responses": answers,
            }
        },
    }

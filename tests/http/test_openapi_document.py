"""`/openapi.json` is generated from the registry, holds for what is answered, and tells of no cluster."""

import json
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import validate

from agentctl.faces.http.openapi import document
from agentctl_tools.catalog import OPERATIONS
from agentctl_tools.projections import HTTP_LEFT_OUT, http_operations


def test_the_document_is_valid_openapi() -> None:
    validate(json.loads(json.dumps(document())))


def test_every_operation_with_a_route_is_there_with_its_class_and_its_action() -> None:
    paths = document()["paths"]

    for operation in http_operations():
        told = paths[f"/v1/ops/{operation.name}"]["post"]
        assert told["operationId"] == operation.name
        assert told["x-agentctl-class"] == operation.operation_class
        assert told["x-agentctl-action"] == operation.action
        assert told["summary"].startswith(("Look", "Try", "Real"))


def test_no_consent_and_nothing_of_the_operators_own_machine_is_there() -> None:
    paths = document()["paths"]
    consents = [o.name for o in OPERATIONS.values() if o.operation_class == "human_only"]

    assert consents
    assert not [name for name in (*consents, *HTTP_LEFT_OUT) if f"/v1/ops/{name}" in paths]


async def test_the_document_is_read_without_a_token(house: Any) -> None:
    await house.begin()

    async with house.served("nobody") as client:
        answer = await client.get("/openapi.json")

    assert answer.status_code == 200
    assert answer.json() == json.loads(json.dumps(document()))


CALLS: list[tuple[str, dict[str, object]]] = [
    ("status", {}),
    ("validate", {}),
    ("plan", {}),
    ("queries", {}),
    ("run_query", {"query": "supply.all_packages"}),
    ("run_query", {"query": "supply.nothing"}),
    ("ops", {}),
    ("served", {}),
    ("graph_list", {}),
    ("graph_show", {"graph": "supply"}),
    ("graph_schema", {"graph": "supply"}),
    ("graph_commits", {"graph": "supply"}),
    ("schema", {"graph": "supply"}),
    ("approvals", {}),
    ("identity_list", {}),
    ("state_list", {}),
    ("audit_verify", {}),
    ("config_read", {}),
    ("explain", {"what": "denied"}),
    ("doctor", {}),
    ("load_rows", {"graph": "supply", "rows": "", "intent": "nothing"}),
    ("apply", {"intent": "again", "in": "cluster"}),
    ("status", {"nonsense": 1}),
]


@pytest.mark.parametrize(("name", "arguments"), CALLS, ids=[c[0] for c in CALLS])
async def test_what_is_answered_is_what_the_document_says(
    house: Any, posted: Any, name: str, arguments: dict[str, object]
) -> None:
    await house.begin(applied=True)
    whole = json.loads(json.dumps(document()))
    answers = whole["paths"][f"/v1/ops/{name}"]["post"]["responses"]

    async with house.served() as client:
        answer = await posted(client, name, **arguments)

    schema = answers[str(answer.status_code)]["content"]["application/json"]["schema"]
    jsonschema.validate(answer.json(), schema | {"components": whole["components"]})

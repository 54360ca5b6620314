"""The run-time twin of the import contracts: loading a pure room loads nothing heavy."""

import json
import subprocess
import sys

import pytest

HEAVY = (
    "anyio",
    "asyncio",
    "lance",
    "pyarrow",
    "duckdb",
    "mcp",
    "textual",
    "cryptography",
    "cedarpy",
    "pydantic_core",
    "aiofiles",
)
PURE = (
    "agentctl.ids",
    "agentctl.instants",
    "agentctl.canonical",
    "agentctl.foreign",
    "agentctl.diagnostics.bag",
    "agentctl.languages.schema.compile",
    "agentctl.languages.query.compile",
    "agentctl.domain.config.load",
    "agentctl.domain.storage.numbered",
    "agentctl.domain.storage.lease",
    "agentctl.domain.ledger.codec",
    "agentctl.domain.audit.chain",
    "agentctl.domain.ops.machine",
    "agentctl.domain.policy.principals",
    "agentctl.domain.plan.diff",
    "agentctl.domain.approval.machine",
    "agentctl.views.decision",
    "agentctl.engine.recover",
)


def loaded_by(module: str) -> set[str]:
    code = f"import json, sys\nimport {module}\nprint(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(run.stdout))


@pytest.mark.parametrize("module", PURE)
def test_a_pure_room_loads_no_event_loop_and_no_client(module: str) -> None:
    assert loaded_by(module) & set(HEAVY) == set()


def test_the_command_line_starts_without_what_only_some_verbs_need() -> None:
    heavy = {*HEAVY, "yaml", "httpx2", "numpy", "agentctl.engine.cluster", "agentctl_tools.catalog"}

    assert loaded_by("agentctl.faces.cli.main") & heavy == set()

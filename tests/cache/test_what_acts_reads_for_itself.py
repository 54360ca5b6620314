"""A lie in the user's cache can mislead a look; what is kept, approved or applied never asks it."""

import json
from pathlib import Path

import msgspec
import pytest

from agentctl.adapters.cache.folder_cache import FolderCache
from agentctl.adapters.cache.private_folder import cache_folder, read_entry, write_entry
from agentctl.domain.config.answer import decode_remembered, encode_remembered
from agentctl.languages.schema.compile import CompiledSchema
from agentctl.testing.query_folder import CLUSTER, SCHEMA, query
from agentctl.testing.shell import Shell

pytestmark = pytest.mark.slow


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path).begun(
        {"cluster.yaml": CLUSTER, "supply.pg": SCHEMA, "queries/alpha.gq": query("alpha")}
    )


def cache_of(shell: Shell) -> FolderCache:
    return FolderCache(cache_folder(shell.env, shell.home), shell.folder)


def lie_about_the_schema(shell: Shell) -> None:
    """Every schema in the cache has a property more than its file says."""
    for path in (shell.home / ".cache").rglob("schema-*"):
        payload = read_entry(path)
        assert payload is not None
        entries = msgspec.msgpack.decode(payload, type=dict[str, bytes])
        write_entry(path, msgspec.msgpack.encode({k: _lied(v) for k, v in entries.items()}))


def _lied(entry: bytes) -> bytes:
    compiled = msgspec.msgpack.decode(entry, type=CompiledSchema)
    assert compiled.catalog is not None
    node = compiled.catalog.nodes[0]
    more = msgspec.structs.replace(node.properties[-1], name="smuggled")
    nodes = (msgspec.structs.replace(node, properties=(*node.properties, more)),)
    catalog = msgspec.structs.replace(compiled.catalog, nodes=nodes)
    return msgspec.msgpack.encode(msgspec.structs.replace(compiled, catalog=catalog))


def test_a_planted_schema_reaches_no_plan_that_is_kept_and_no_graph(
    shell: Shell, tmp_path: Path
) -> None:
    shell.write({"supply.pg": SCHEMA.replace("version", "edition") + "\n"})
    shell.run("validate")
    lie_about_the_schema(shell)
    out = tmp_path / "plan.json"

    shown = shell.run("plan", "--json").stdout
    shell.run("plan", "--out", out)
    anew = shell.run("plan", "--no-cache", "--json").stdout
    applied = shell.run("apply")

    assert "smuggled" in shown, "the lie is one that a look believes"
    assert "smuggled" not in out.read_text()
    assert "smuggled" not in applied.stdout + applied.stderr
    assert "smuggled" not in anew


def test_a_planted_answer_does_not_make_a_wrong_folder_plan_or_apply(shell: Shell) -> None:
    shell.write({"supply.pg": SCHEMA + "node {\n"})
    shell.run("validate")
    cache = cache_of(shell)
    kept = decode_remembered(cache.answer() or b"")
    assert kept is not None
    assert not kept.answer.ok
    lie = msgspec.structs.replace(kept.answer, ok=True, diagnostics=())
    cache.keep_answer(encode_remembered(msgspec.structs.replace(kept, answer=lie)))

    codes = {verb: shell.run(verb).returncode for verb in ("validate", "plan", "apply")}

    assert codes == {"validate": 0, "plan": 1, "apply": 1}
    assert shell.run("validate", "--no-cache").returncode == 1


def test_the_digests_of_an_answer_are_those_of_the_bytes_at_hand(shell: Shell) -> None:
    shell.run("validate")
    shell.write({"supply.pg": SCHEMA + "// again\n"})

    told = json.loads(shell.run("validate", "--json").stdout)["resource_digests"]

    assert (
        told == json.loads(shell.run("validate", "--json", "--no-cache").stdout)["resource_digests"]
    )

"""An export of the audit chain is proved where there is no cluster. Source: control-plane 3.2, trust.md."""

import json
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

Run = Callable[..., Result]


def test_an_export_and_its_anchors_are_proved_without_the_cluster(
    run: Run, supply: Path, tmp_path: Path
) -> None:
    assert run("apply", "--config", supply).exit_code == 0
    anchors, export = tmp_path / "anchors.jsonl", tmp_path / "export.jsonl"
    assert run("audit", "anchor", "--config", supply, "--file", anchors).exit_code == 0
    export.write_bytes(run("audit", "export", "--config", supply).stdout_bytes)
    away = tmp_path / "away"
    away.mkdir()
    verify = ("audit", "verify", export, "--anchors", anchors, "--config", away, "--json")

    whole = run(*verify)
    export.write_bytes(export.read_bytes().replace(b"cluster_import", b"cluster_status", 1))
    forged = run(*verify)

    found = json.loads(whole.stdout)
    assert (whole.exit_code, found["ok"]) == (0, True)
    assert found["proved_by_anchor"] == found["length"] > 0
    assert found["witnesses"][0]["signed_by"].startswith("ssh-ed25519 ")
    assert forged.exit_code == 1
    assert "audit_chain_broken" in forged.stdout
    assert list(away.iterdir()) == []

"""What an agent writes in a draft is read with an agent's reach, whoever looks at it."""

from pathlib import Path

from agentctl.domain.config.load import LoadedCluster
from agentctl.engine.gather import load_target
from agentctl.testing.builders import Bench, cluster_yaml, folder_files
from agentctl_tools.targets import loaded_of


async def test_a_person_who_looks_at_an_agents_draft_reads_no_file_outside_for_it(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    secret = tmp_path / "outside.yaml"
    secret.write_text("version: 1\n# a secret of the operator\n", encoding="utf-8")
    draft = await cluster.drafts.open(bench.agent.id)
    policies = f"policies:\n  p:\n    file: {secret}\n    applies_to: [cluster]\n"
    text = cluster_yaml("supply", policies=policies)
    await cluster.drafts.edit(draft.id, "cluster.yaml", by=bench.agent.id, content=text.encode())

    target = await load_target(cluster, bench.sarah, f"draft:{draft.id}")
    loaded = await loaded_of(cluster, bench.sarah, f"draft:{draft.id}")

    assert target.desired is None
    assert "path_outside_folder" in [d.code for d in target.diagnostics]
    assert isinstance(loaded, LoadedCluster)
    assert str(secret) not in loaded.files

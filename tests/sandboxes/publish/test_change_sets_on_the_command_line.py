"""A change set leaves as a file and is applied to a clone without any cluster. Source: sandboxes 4, 5.14."""

from pathlib import Path

from anyio import to_thread
from click.testing import CliRunner, Result

from agentctl.adapters.sources.directory import Folder
from agentctl.domain.sandbox.changeset import changeset_bytes
from agentctl.faces.cli.main import cli
from tests.sandboxes.publish.publish_rig import publisher, run_git


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, words, prog_name="agentctl")


async def run_aside(*words: str) -> Result:
    """Runs a command on change sets in a thread, since it has an event loop of its own."""
    return await to_thread.run_sync(lambda: run("changeset", *words))


async def test_a_file_applied_to_a_fresh_clone_gives_the_digest_and_to_another_folder_nothing(
    tmp_path: Path,
) -> None:
    async with publisher(tmp_path) as at:
        made = await at.must("sandbox_changeset", in_=await at.tried())
        file = tmp_path / "change.json"
        file.write_bytes(changeset_bytes(made.body))
        for name in ("clone", "other"):
            run_git(tmp_path, "clone", "-q", str(at.origin), str(tmp_path / name))
    clone, other = tmp_path / "clone", tmp_path / "other"
    (other / "supply.gq").write_text((other / "supply.gq").read_text() + "# mine\n")
    before = (other / "supply.pg").read_bytes()

    applied = await run_aside("apply", str(file), "--folder", str(clone))
    again = await run_aside("apply", str(file), "--folder", str(clone))
    refused = await run_aside("apply", str(file), "--folder", str(other))

    assert (applied.exit_code, again.exit_code, refused.exit_code) == (0, 0, 1)
    loaded = await Folder(clone).load(confined=True)
    assert loaded.source_digest == made.body.result.source_digest
    assert "change_set_conflict" in refused.output
    assert (other / "supply.pg").read_bytes() == before


def test_a_file_that_is_no_change_set_is_told(tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_text("{}")

    refused = run("changeset", "apply", str(file), "--folder", str(tmp_path))

    assert refused.exit_code == 1
    assert "no change set" in refused.output

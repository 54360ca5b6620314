"""What it takes to make a sandbox of commands: steps that fail, names, room on the host, sources."""

from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agentctl.adapters.keys.sshsig import public_of
from agentctl.domain.sandbox.records import SourceVM
from agentctl.engine.sandboxes.errors import NotFoundError
from agentctl.engine.world import mint_ulid, stamp_now
from agentctl_tools.operation import Envelope
from tests.sandboxes.commands.command_desk import CommandDesk, command_desk, written_profile


class _Failing:
    """Fails at one step of the provider; counts them where no number is given."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.at: int | None = None

    def __call__(self, step: str) -> None:
        self.steps.append(step)
        if self.at is not None and len(self.steps) == self.at + 1:
            raise OSError(28, "No space left on device")


def _rest(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


async def test_a_step_that_fails_is_named_and_leaves_nothing_of_the_sandbox(tmp_path: Path) -> None:
    failing = _Failing()
    async with command_desk(tmp_path, before=failing) as desk:
        whole = await desk.start(name="whole")
        steps = len(failing.steps)
        await desk.must("sandbox_close", in_=whole)
        assert steps > 10
        for at in range(steps):
            failing.steps, failing.at = [], at
            envelope = await desk.ask("sandbox_start", source="site", name="again")
            failing.at = None

            assert not envelope.ok, f"step {at} of {steps} was not taken"
            told = envelope.diagnostics[0]
            assert told.code in {"sandbox_create_failed", "sandbox_storage_failed"}
            assert "at the step `" in told.message
            assert await desk.held() == {}
            assert _rest(desk.host.root) == []
            assert (await desk.must("sandbox_list")).sandboxes == ()
            host = (await desk.store.list_hosts())[0]
            assert (host.reserved_memory_mb, host.reserved_storage_mb) == (0, 0)


async def test_a_name_is_taken_once_and_free_again_when_its_sandbox_is_gone(
    files: CommandDesk,
) -> None:
    sandbox = await files.start(name="mine")

    assert await files.codes("sandbox_start", source="site", name="mine") == [
        "sandbox_record_exists"
    ]
    await files.must("sandbox_close", in_=sandbox)
    await files.start(name="mine")


async def test_a_host_without_room_refuses_and_says_what_it_lacks(tmp_path: Path) -> None:
    profile = written_profile(tmp_path, more="  host: {memory_mb: 1000}")
    async with command_desk(tmp_path, profile=profile) as desk:
        await desk.start(memory_mb=600)

        envelope = await desk.ask("sandbox_start", source="site", memory_mb=500)

        told = envelope.diagnostics[0]
        assert told.code == "sandbox_no_capacity"
        assert "400 of 500 MB of memory" in (told.detail or "")
        await desk.start(memory_mb=400)


async def test_many_at_once_never_take_more_than_the_host_has(tmp_path: Path) -> None:
    profile = written_profile(tmp_path, more="  host: {memory_mb: 1000}")
    async with command_desk(tmp_path, profile=profile) as desk:
        answers: list[Envelope] = []

        async def ask() -> None:
            answers.append(
                await desk.ask("sandbox_start", by=desk.bench.sarah, source="site", memory_mb=300)
            )

        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(ask)

        assert sorted(a.ok for a in answers) == [False] * 5 + [True] * 3
        assert {d.code for a in answers for d in a.diagnostics} == {"sandbox_no_capacity"}
        assert (await desk.store.list_hosts())[0].reserved_memory_mb == 900
        assert len(await desk.held()) == 3


async def test_an_agent_has_so_many_sandboxes_and_no_more(files: CommandDesk) -> None:
    for _ in range(5):
        await files.start(memory_mb=64, storage_mb=64)

    assert await files.codes("sandbox_start", source="site") == ["sandbox_over_quota"]


async def test_without_a_profile_there_is_the_configuration_alone_and_no_machines(
    tmp_path: Path,
) -> None:
    async with command_desk(tmp_path, profile=tmp_path / "none.yaml") as desk:
        (desk.bench.path / "secrets.env").write_text("PASSWORD=hunter2hunter2\n")
        started = await desk.must("sandbox_start")

        ran = await desk.sh(started.sandbox, "ls")
        assert started.source == "folder"
        assert ran.stdout.split() == ["cluster.yaml", "supply.gq", "supply.pg"]
        assert await desk.codes("sandbox_start", provider="vm", source="golden") == [
            "sandbox_provider_absent"
        ]
        assert await desk.codes("sandbox_start", source="site") == ["sandbox_source_unknown"]


async def test_the_operator_may_keep_the_configuration_to_themselves(tmp_path: Path) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text("sandboxes: {process: {folder: false}}\n")
    async with command_desk(tmp_path, profile=profile) as desk:
        assert await desk.codes("sandbox_start") == ["sandbox_provider_absent"]


async def test_a_mistake_in_the_profile_is_told_with_its_place(tmp_path: Path) -> None:
    profile = tmp_path / "profile.yaml"
    for text, place, why in (
        ("sandboxes:\n  process:\n    source: {}\n", (3, 5), "source"),
        ("sandboxes:\n  process:\n    sources:\n      site: srv\n", (4, 13), "whole path"),
        ("sandboxes:\n  vm:\n    sources: {}\n    vcpus_max: none\n", (4, 16), "int"),
        ("sandboxes: [\n", (2, 1), ""),
    ):
        profile.write_text(text)
        envelope = await _started_with(tmp_path, profile)

        told = envelope.diagnostics[0]
        assert told.code == "sandbox_profile_invalid"
        assert why in told.message
        assert told.where is not None
        assert (told.where.line, told.where.column) == place


async def _started_with(tmp_path: Path, profile: Path) -> Envelope:
    from agentctl.adapters.runners.open import open_runners
    from agentctl.engine.command_host import CommandHost

    good = tmp_path / "good.yaml"
    good.write_text("")
    folder = tmp_path / mint_name(tmp_path)
    folder.mkdir()
    async with command_desk(folder, profile=good) as desk:
        host = CommandHost(
            folder / "other",
            open_runners=lambda root: open_runners(profile, root),
            storage_uri="",
            history_url="",
        )
        desk.cluster = msgspec.structs.replace(desk.cluster, commands=host)
        return await desk.ask("sandbox_start")


def mint_name(folder: Path) -> str:
    return f"bench-{len(list(folder.iterdir()))}"


async def test_what_a_sandbox_does_reaches_neither_its_source_nor_another(
    files: CommandDesk, tmp_path: Path
) -> None:
    before = {p.name: p.read_text() for p in (tmp_path / "site").iterdir()}
    one, other = await files.start(), await files.start()

    ran = await files.sh(
        one,
        f"rm -rf * .[a-z]*; echo mine > mine; ls {tmp_path} ; echo x > {tmp_path}/site/x; ls /work /root",
    )

    assert ran.stdout == ""
    assert {p.name: p.read_text() for p in (tmp_path / "site").iterdir()} == before
    assert (await files.sh(other, "ls")).stdout.split() == ["old.conf", "settings.conf"]


@pytest.mark.parametrize(
    "line",
    [
        "cat settings.conf | tee y",
        "cat $(ls)",
        "cat settings.conf > y",
        "cat settings.conf\nrm settings.conf",
        "find . -exec rm {} +",
        "sed -i s/a/b/ settings.conf",
        "env sh -c ls",
    ],
)
async def test_a_line_that_could_write_is_refused_before_anything_runs(
    files: CommandDesk, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object, **__: object) -> None:
        pytest.fail("it was run")

    monkeypatch.setattr("agentctl.engine.command_sources.run_in_folder", never)

    assert await files.codes("sandbox_look", source="site", line=line) == [
        "readonly_command_refused"
    ]


async def test_a_source_is_looked_at_without_a_copy_and_without_secrets(
    files: CommandDesk, tmp_path: Path
) -> None:
    (tmp_path / "site" / "it.env").write_text("PASSWORD=correct-horse-battery\n")

    seen = await files.must("sandbox_look", source="site", line="cat settings.conf it.env | sort")
    own = await files.must("sandbox_look", line="ls")

    assert "colour = green" in seen.stdout
    assert "correct-horse" not in seen.stdout
    assert "[REDACTED_" in seen.stdout
    assert own.stdout.split() == ["cluster.yaml", "supply.gq", "supply.pg"]
    assert await files.held() == {}


async def test_a_source_machine_that_was_prepared_for_another_authority_is_refused(
    tmp_path: Path,
) -> None:
    public = public_of(Ed25519PrivateKey.generate())
    (tmp_path / "ca.pub").write_text(public + "\n")
    lines = (
        f"  vm:\n    authority: {tmp_path}/ca.pub\n"
        f"    sources: {{golden: {{image: {tmp_path}/no.img}}}}\n"
    )
    profile = written_profile(tmp_path, more=lines)
    async with command_desk(tmp_path, profile=profile) as desk:
        asked: dict[str, Any] = {"provider": "vm", "source": "golden"}
        assert await desk.codes("sandbox_start", **asked) == ["machine_source_unprepared"]
        now = stamp_now(desk.bench.world)
        await desk.store.upsert_source_vm(
            SourceVM(
                id=mint_ulid(desk.bench.world),
                name="golden",
                prepared=True,
                prepared_at=now,
                ca_fingerprint="SHA256:of-another",
                created_at=now,
                updated_at=now,
            )
        )

        envelope = await desk.ask("sandbox_start", **asked)

        told = envelope.diagnostics[0]
        assert told.code == "machine_source_unprepared"
        assert "SHA256:of-another" in (told.detail or "")
        assert not (await desk.store.get_source_vm("golden")).prepared
        assert told.remedy == "agentctl sandbox prepare golden"
        assert await desk.codes("sandbox_prepare", source="golden") == ["human_only"]
        with pytest.raises(NotFoundError):
            await desk.store.get_sandbox_by_vm_name("golden")


async def test_nothing_is_started_where_the_history_is_only_read(tmp_path: Path) -> None:
    async with command_desk(tmp_path):
        pass
    folder = tmp_path / "again"
    folder.mkdir()
    (folder / "history.sqlite").write_bytes((tmp_path / "history.sqlite").read_bytes())
    async with command_desk(folder, read_only=True) as desk:
        assert await desk.codes("sandbox_start", source="site") == ["sandbox_store_read_only"]

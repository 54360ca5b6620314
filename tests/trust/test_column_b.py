"""Column B: an agent with a shell as the same user. Where the table says no, the attack works and
`doctor --trust` says so; where it says what holds, it holds."""

import json
import os
import shutil
from pathlib import Path

import pytest

from agentctl.domain.approval.records import DecisionArtifact
from agentctl.domain.approval.words import compare_words
from agentctl.engine.trust import TrustFacts, assess
from agentctl.testing.authenticator import Authenticator
from agentctl.testing.builders import QUERY
from agentctl.testing.consent import Consent, caller, consent, key_of
from agentctl.testing.shell import AUDIT, Shell

AGENT = """
import anyio, sys
from pathlib import Path
from agentctl.adapters.keys.signer import KeyFileSigner
from agentctl.domain.approval.records import DecisionArtifact
from agentctl.faces.cli.compose import compose
from agentctl_tools.callers import operator_of

async def main():
    made = compose()
    cluster = await made.open(Path(sys.argv[1]))
    key = next(p for p in made.public_keys().values() if p.name.startswith("human"))
    person = await operator_of(cluster, keys=made.public_keys())
    signer = KeyFileSigner(key, passphrase=lambda _: sys.argv[2].encode())
    (asked,) = await cluster.approvals.open_requests()
    done = await cluster.approvals.decide(
        person, asked.request_id, verdict="approve", reason=None, signer=signer
    )
    sys.exit(0 if isinstance(done, DecisionArtifact) else 1)

anyio.run(main)
"""
"""What an agent with a shell writes for itself: the product's own code, without its questions."""


def by_a_shell(shell: Shell, program: str, *arguments: str) -> int:
    import subprocess
    import sys

    return subprocess.run(  # our own program
        [sys.executable, "-c", program, str(shell.folder), *arguments],
        env=shell.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    ).returncode


def trust_line(shell: Shell) -> str:
    return shell.done("doctor", "--trust")


def assert_says_column_b(line: str) -> None:
    """Root is beyond B: the same line of the table says no for E as well."""
    expected = "column E" if os.geteuid() == 0 else "column B"
    assert expected in line, line


def facts_of(shell: Shell, **more: bool) -> TrustFacts:
    return TrustFacts(
        user="sarah",
        is_root=False,
        storage_local=True,
        storage_writable=os.access(shell.folder, os.W_OK),
        human_keys=(),
        humans=1,
        **more,  # type: ignore[arg-type]  # forwarded fields
    )


@pytest.mark.slow
def test_cell_b1_irreversible_without_a_human_no_the_files_are_its_own(shell: Shell) -> None:
    shutil.rmtree(shell.folder / "graphs" / "spare.omni")

    assert "missing" in json.dumps(shell.json("refresh"))
    assert_says_column_b(trust_line(shell))
    told = assess(facts_of(shell)).line
    assert told.startswith("column B: an agent with a shell as sarah reaches files and key")


@pytest.mark.slow
def test_cell_b1_irreversible_without_a_human_no_the_key_is_its_own(removing: Shell) -> None:
    removing.done("approvals", "request", "graph.spare")

    signed = by_a_shell(removing, AGENT, "")
    applied = removing.json("apply")

    assert signed == 0
    assert applied["converged"], "the agent decided in the human's name"
    assert "detached" in json.dumps(removing.json("graph", "list"))
    line = trust_line(removing)
    assert_says_column_b(line)
    assert "the human key has no passphrase and proves no person" in line
    assert "the human key has no passphrase" in removing.run("status").stdout


@pytest.mark.slow
def test_cell_b2_a_typed_passphrase_holds_while_the_programs_are_the_persons(
    removing: Shell,
) -> None:
    (key,) = [f for f in removing.keys.glob("human-*") if f.suffix != ".pub"]
    _lock(key, b"correct horse")
    removing.done("approvals", "request", "graph.spare")

    guessed = by_a_shell(removing, AGENT, "letmein")
    assert guessed != 0
    assert not removing.json("apply")["converged"]
    assert "no passphrase" not in trust_line(removing)

    code, received = removing.on_a_terminal(
        "approve",
        "graph.spare",
        typed=[("anything else to leave it: ", "spare"), ("assphrase", "correct horse")],
    )
    assert code == 0, received
    assert "correct horse" not in received


@pytest.mark.slow
def test_cell_b2_a_typed_passphrase_is_lost_once_a_shell_tampers_with_the_programs(
    removing: Shell,
) -> None:
    (key,) = [f for f in removing.keys.glob("human-*") if f.suffix != ".pub"]
    _lock(key, b"correct horse")
    removing.done("approvals", "request", "graph.spare")
    loot = removing.root / "loot"
    trap = removing.root / "trap"
    trap.mkdir()
    (trap / "sitecustomize.py").write_text(
        "import agentctl.adapters.keys.terminal as t\n"
        "ask = t.read_passphrase_from_terminal\n"
        "def listen(prompt):\n"
        "    typed = ask(prompt)\n"
        f"    open({str(loot)!r}, 'wb').write(typed)\n"
        "    return typed\n"
        "t.read_passphrase_from_terminal = listen\n"
    )
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(trap), before]))
    try:
        removing.on_a_terminal(
            "approve",
            "graph.spare",
            typed=[("anything else to leave it: ", "spare"), ("assphrase", "correct horse")],
        )
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before

    assert loot.read_bytes() == b"correct horse"
    assert_says_column_b(trust_line(removing))


async def touched_cluster() -> tuple[Consent, Authenticator]:
    """A cluster whose rules ask for a touched key, which tina has."""
    bench = await consent()
    key = Authenticator(bytes(range(32)))
    added = await bench.principals.add(
        principal_id="tina",
        kind="human",
        key=key.key,
        assurance="touch",
        by="sarah",
        signer=key_of("sarah"),
    )
    assert not isinstance(added, tuple)
    await bench.apply_rules(hardware={"assurance": "touch"})
    return bench, key


async def test_cell_b2_a_touched_key_holds_against_a_shell_without_a_person() -> None:
    """B may ask the authenticator as often as it likes: nobody touches it, so nothing is signed."""
    bench, key = await touched_cluster()
    request = await bench.ask()
    key.flags = 0

    answer = await bench.approvals.decide(
        caller("tina"), request.request_id, verdict="approve", reason=None, signer=key
    )
    by_file = await bench.try_to_decide(request, by="sarah")

    assert isinstance(answer, tuple)
    assert answer[0].code == "signature_invalid"
    assert isinstance(by_file, tuple), "a key in a file is worth less than the rule asks"
    assert (await bench.standing()).state == "waiting"


async def test_cell_b2_a_touched_key_proves_a_person_but_not_what_the_person_was_shown() -> None:
    """B shows one page and has another request signed: the person touches, and it counts.

    The table says so: a person was present, though B may have shown them another page.
    """
    bench, key = await touched_cluster()
    shown = await bench.ask(bench.gate("scratch"))
    signed = await bench.ask()
    assert shown.gate_digest != signed.gate_digest

    answer = await bench.approvals.decide(
        caller("tina"), signed.request_id, verdict="approve", reason=None, signer=key
    )

    assert isinstance(answer, DecisionArtifact)
    assert answer.assurance == "touch"
    assert (await bench.standing()).state == "approved"
    assert compare_words(shown.gate_digest) != compare_words(signed.gate_digest)


@pytest.mark.slow
def test_cell_b3_tampering_with_history_is_found_where_the_ledger_proves_it(shell: Shell) -> None:
    first = min((shell.folder / AUDIT).glob("*.json"))
    record = json.loads(first.read_bytes())
    first.write_text(json.dumps(record | {"action": "nothing"}, separators=(",", ":")))

    verified = shell.run("audit", "verify")

    assert verified.returncode == 1
    assert "broken" in verified.stderr


@pytest.mark.slow
def test_cell_b3_tampering_with_what_no_anchor_holds_is_not_found(shell: Shell) -> None:
    """The chain is unkeyed: what came after the ledger's newest object can be taken away."""
    shell.run("approvals", "request", "graph.supply")
    shell.run("draft", "edit", "supply.gq", "--remove")
    last = max((shell.folder / AUDIT).glob("*.json"))
    last.unlink()

    verified = shell.run("audit", "verify")

    assert verified.returncode == 0
    assert "the ledger proves" in verified.stderr, "and it says how far it is proved"
    assert_says_column_b(trust_line(shell))


@pytest.mark.slow
def test_cell_b3_a_past_that_was_put_back_whole_is_found_by_an_anchor_kept_elsewhere(
    shell: Shell,
) -> None:
    """Ledger, audit and approvals of yesterday agree with each other: only the anchor knows better."""
    anchors, yesterday = shell.root / "anchors.jsonl", shell.root / "yesterday"
    shutil.copytree(shell.folder / "__cluster", yesterday)
    shell.write({"supply.gq": f"// another\n{QUERY}"})
    shell.done("apply")
    shell.done("audit", "anchor", "--unsigned", "--file", anchors)
    shutil.rmtree(shell.folder / "__cluster")
    shutil.copytree(yesterday, shell.folder / "__cluster")

    alone = shell.run("audit", "verify")
    told = shell.run("audit", "verify", "--anchors", anchors)

    assert alone.returncode == 0, "by itself the past is whole"
    assert told.returncode == 1, told.stdout + told.stderr
    assert_says_column_b(trust_line(shell))


@pytest.mark.slow
def test_cell_b4_secrets_out_of_reach_no_the_environment_is_the_same(shell: Shell) -> None:
    (key,) = [f for f in shell.keys.glob("human-*") if f.suffix != ".pub"]
    reads = "import os, sys; sys.exit(0 if b'PRIVATE' in open(sys.argv[2], 'rb').read() else 1)"

    assert by_a_shell(shell, reads, str(key)) == 0
    assert key.stat().st_mode & 0o077 == 0, "of other users it is kept"
    assert_says_column_b(trust_line(shell))


def _lock(key: Path, passphrase: bytes) -> None:
    """Gives a key file a passphrase, as `ssh-keygen -p` does."""
    from cryptography.hazmat.primitives import serialization as s

    private = s.load_ssh_private_key(key.read_bytes(), password=None)
    key.write_bytes(
        private.private_bytes(
            s.Encoding.PEM, s.PrivateFormat.OpenSSH, s.BestAvailableEncryption(passphrase)
        )
    )

"""Which attacker a set-up has to expect, worked out and said in one line. Source: trust."""

from pathlib import Path

import msgspec
import pytest

from agentctl.adapters.keys.keyfile import make_key
from agentctl.domain.policy.principals import NO_CHAIN, Assurance, Principal, Registry
from agentctl.engine.trust import HumanKeyFile, TrustFacts, assess, gather_facts
from agentctl.testing.authenticator import Authenticator

KEY = HumanKeyFile(
    principal="sarah", path="/home/sarah/keys/human-sarah", passphrase=True, shared=False
)
LAPTOP = TrustFacts(
    user="sarah",
    is_root=False,
    storage_local=True,
    storage_writable=True,
    human_keys=(KEY,),
    humans=1,
)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            {},
            "column B: an agent with a shell as sarah reaches files and key; "
            "what holds, holds against agents that have only MCP",
        ),
        (
            {"storage_writable": False},
            "column B: storage is another user's, but an agent with a shell as sarah reaches the key",
        ),
        (
            {"storage_writable": False, "human_keys": ()},
            "column C: storage and keys are not sarah's; gates hold against a shell as sarah",
        ),
        (
            {"is_root": True},
            "column E: this runs as root, and nothing on a machine holds against its root",
        ),
        (
            {"storage_writable": False, "human_keys": (), "humans": 0},
            "column C: storage and keys are not sarah's; gates hold against a shell as sarah"
            "; no human is enrolled, so nothing gated can be decided",
        ),
        (
            {"is_root": True, "demo_humans": ("sarah",)},
            "column E: this runs as root, and nothing on a machine holds against its root"
            "; a demo key decides here, which proves no person",
        ),
    ],
)
def test_the_column_follows_from_who_reaches_storage_and_key(
    change: dict[str, object], line: str
) -> None:
    told = assess(msgspec.structs.replace(LAPTOP, **change))

    assert told.line == line
    assert told.line.startswith(f"column {told.column}: ")
    assert told.diagnostics == ()


def test_a_human_key_without_passphrase_is_said_to_be_worth_nothing() -> None:
    bare = msgspec.structs.replace(KEY, passphrase=False)

    told = assess(msgspec.structs.replace(LAPTOP, human_keys=(bare,)))

    assert told.line.endswith("; the human key has no passphrase and proves no person")
    assert [(d.code, d.remedy) for d in told.diagnostics] == [
        ("human_key_unprotected", "ssh-keygen -p -f '/home/sarah/keys/human-sarah'")
    ]


def test_a_user_name_cannot_write_into_the_line() -> None:
    told = assess(msgspec.structs.replace(LAPTOP, user="x\x1b[2K\n"))

    assert "\x1b" not in told.line
    assert "\n" not in told.line


def registry_of(key: str, assurance: Assurance = "file") -> Registry:
    human = Principal(id="sarah", kind="human", key=key, assurance=assurance)
    return msgspec.structs.replace(NO_CHAIN, principals={"sarah": human})


def test_the_facts_are_looked_up_in_the_files(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    key = make_key(keys / "human-sarah", passphrase=b"horse", comment="sarah")
    make_key(keys / "agent-sarah", passphrase=b"", comment="agent")
    (keys / "notes").write_text("no key")

    facts = gather_facts(f"file://{tmp_path}/not/yet", keys, registry_of(key), "sarah")

    assert facts.storage_local
    assert facts.storage_writable
    assert (facts.humans, facts.demo_humans) == (1, ())
    assert facts.human_keys == (
        HumanKeyFile(
            principal="sarah", path=str(keys / "human-sarah"), passphrase=True, shared=False
        ),
    )


def test_a_key_that_others_can_read_is_found(tmp_path: Path) -> None:
    key = make_key(tmp_path / "human-sarah", passphrase=b"horse", comment="sarah")
    (tmp_path / "human-sarah").chmod(0o644)

    facts = gather_facts(f"file://{tmp_path}", tmp_path, registry_of(key, "demo"), "sarah")

    assert facts.demo_humans == ("sarah",)
    assert [d.code for d in assess(facts).diagnostics] == ["human_key_shared"]


def test_a_human_on_the_word_of_one_and_one_that_a_backup_brought_back_are_told(
    tmp_path: Path,
) -> None:
    sarah = registry_of("a").principals["sarah"]
    tom = msgspec.structs.replace(sarah, id="tom", key="b", vouched_by="sarah")
    ann = msgspec.structs.replace(sarah, id="ann", key="c", confirmed=False)
    people = {"sarah": sarah, "tom": tom, "ann": ann}
    registry = msgspec.structs.replace(NO_CHAIN, principals=people)
    facts = gather_facts(f"file://{tmp_path}", tmp_path / "none", registry, "sarah")

    told = assess(facts).diagnostics

    assert facts.humans == 2
    assert [(d.code, d.path, d.severity) for d in told] == [
        ("human_unconfirmed", "ann", "warning"),
        ("human_vouched_alone", "tom", "note"),
    ]


def test_without_a_keys_folder_there_are_no_keys(tmp_path: Path) -> None:
    facts = gather_facts(f"file://{tmp_path}", tmp_path / "none", NO_CHAIN, "sarah")

    assert (facts.human_keys, facts.humans) == ((), 0)


def test_a_hardware_keys_handle_signs_nothing_alone(tmp_path: Path) -> None:
    key = Authenticator(bytes(32))
    key.write_handle(tmp_path / "human-sarah")
    facts = gather_facts(f"file://{tmp_path}", tmp_path, registry_of(key.key, "touch"), "sarah")
    told = assess(msgspec.structs.replace(facts, is_root=False))

    assert facts.human_keys[0].hardware
    assert told.diagnostics == ()
    assert told.line.endswith("a person was there, whatever they saw")


@pytest.mark.parametrize(("assurance", "warned"), [("file", True), ("agent", False)])
def test_a_key_in_an_ssh_agent_counts_as_enrolled_that_way_or_is_warned_of(
    tmp_path: Path,
    assurance: Assurance,
    warned: bool,  # noqa: FBT001  # a column of the table
) -> None:
    key = make_key(tmp_path / "key", passphrase=b"", comment="sarah")
    registry = registry_of(key, assurance)
    facts = gather_facts(f"file://{tmp_path}", tmp_path / "none", registry, "sarah", (key,))
    told = assess(msgspec.structs.replace(facts, is_root=False))

    assert [d.code for d in told.diagnostics] == (["human_key_unprotected"] if warned else [])
    assert ("signs for whoever asks" in told.line) == warned

"""Who is known to a cluster, and by whose word. Source: access-and-faces 3.1, trust."""

from collections.abc import Callable

import anyio
import msgspec
import pytest

from agentctl.adapters.keys.sshsig import verify
from agentctl.canonical import canonical_bytes, sha256_hex
from agentctl.domain.policy.principals import (
    NO_CHAIN,
    PRINCIPALS_NAMESPACE,
    AddBody,
    Body,
    DelegateBody,
    FirstHuman,
    GenesisBody,
    GroupsBody,
    PrincipalRecord,
    RecordKind,
    RecoveryBody,
    Registry,
    RevokeBody,
    RotateBody,
    decode_record,
    record_bytes,
)
from agentctl.domain.policy.principals_chain import advance, verify_chain
from agentctl.domain.storage.keys import numbered_key
from agentctl.engine.principals import PRINCIPALS_FOLDER, Principals, PrincipalsBrokenError
from agentctl.testing.consent import Consent, consent, key_of


def chain(bench: Consent) -> list[bytes]:
    prefix = PRINCIPALS_FOLDER + "/"
    return [data for key, data in sorted(bench.store.objects.items()) if key.startswith(prefix)]


def refused(answer: object, words: str) -> bool:
    assert isinstance(answer, tuple), answer
    return words in answer[0].message


async def test_the_cluster_id_is_the_digest_of_the_first_record() -> None:
    bench = await consent()
    registry = await bench.principals.registry()

    assert registry.cluster_id == sha256_hex(chain(bench)[0])
    assert registry.head.length == 3
    assert {p.id: (p.kind, p.assurance) for p in registry.principals.values()} == {
        "sarah": ("human", "file"),
        "tom": ("human", "file"),
        "agent:sarah": ("agent", None),
    }


async def test_a_record_is_canonical_json_of_the_documented_shape() -> None:
    bench = await consent()
    first, second = (msgspec.json.decode(data) for data in chain(bench)[:2])

    assert list(first) == [
        "at",
        "body",
        "by",
        "kind",
        "n",
        "nonce",
        "previous",
        "signature",
        "version",
    ]
    assert first["body"]["human"] == {
        "id": "sarah",
        "key": key_of("sarah").key,
        "assurance": "file",
    }
    assert (first["version"], first["n"], first["previous"], first["by"]) == (1, 1, None, "sarah")
    assert second["previous"] == f"sha256:{sha256_hex(chain(bench)[0])}"
    assert second["body"] == {
        "id": "tom",
        "kind": "human",
        "key": key_of("tom").key,
        "groups": [],
        "assurance": "file",
    }
    unsigned = {k: v for k, v in second.items() if k != "signature"}
    assert (
        verify(second["signature"], canonical_bytes(unsigned), PRINCIPALS_NAMESPACE)
        == key_of("sarah").key
    )


async def test_two_writers_at_once_both_enrol_somebody() -> None:
    bench = await consent()
    other = Principals(bench.store, bench.world, verify)

    async def enrol(principals: Principals, name: str) -> None:
        await principals.add(principal_id=name, kind="agent", key=key_of(name).key)

    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(enrol, (bench.principals, other)[number % 2], f"agent:a{number}")

    registry = await bench.principals.registry()
    assert registry.head.length == 8
    assert {f"agent:a{n}" for n in range(5)} <= registry.principals.keys()


async def test_a_chain_begins_once() -> None:
    bench = await consent()
    tom = FirstHuman(id="mallory", key=key_of("mallory").key, assurance="file")

    registry = await bench.principals.genesis(human=tom, signer=key_of("mallory"))

    assert registry.cluster_id == bench.cluster_id
    assert "mallory" not in registry.principals


async def test_a_human_is_added_by_a_human_whom_the_chain_knows_and_by_nobody_else() -> None:
    bench = await consent()
    add = bench.principals.add
    eve = key_of("eve")

    async def add_eve(by: str | None, signer: str | None) -> object:
        return await add(
            principal_id="eve",
            kind="human",
            key=eve.key,
            assurance="file",
            by=by,
            signer=key_of(signer) if signer else None,
        )

    assert refused(await add_eve(None, None), "added by a human whom the chain knows")
    assert refused(await add_eve("sarah", None), "a human who did not sign it")
    assert refused(await add_eve("eve", "eve"), "no human whom the chain knows")
    assert refused(await add_eve("agent:sarah", "agent:sarah"), "no human whom the chain knows")
    assert refused(await add_eve("sarah", "tom"), "not signed by whom it names")
    assert refused(await add_eve(None, "sarah"), "no key that the chain knows")
    assert isinstance(await add_eve("sarah", "sarah"), Registry)


async def test_nothing_turns_an_agent_into_a_human() -> None:
    bench = await consent()
    add, by, signer = bench.principals.add, "sarah", key_of("sarah")
    agent_key = key_of("agent:sarah").key

    again = await add(
        principal_id="agent:sarah", kind="human", key=key_of("x").key, assurance="file",
        by=by, signer=signer,
    )  # fmt: skip
    same_key = await add(
        principal_id="helper", kind="human", key=agent_key, assurance="file", by=by, signer=signer
    )
    prefixed = await add(
        principal_id="agent:eve", kind="human", key=key_of("eve").key, assurance="file",
        by=by, signer=signer,
    )  # fmt: skip
    rotated = await bench.principals.rotate(
        principal_id="sarah", new_key=agent_key, by=by, signer=signer
    )

    assert refused(again, "is no human")
    assert refused(same_key, "the key is or was somebody's")
    assert refused(prefixed, "is no human")
    assert refused(rotated, "the key is or was somebody's")


@pytest.mark.parametrize("name", ["s\u0430rah", "SARAH", "sarah ", "", "a\u202eb", "x" * 65, "a/b"])
async def test_an_id_that_looks_like_another_is_refused(name: str) -> None:
    bench = await consent()

    added = await bench.principals.add(principal_id=name, kind="agent", key=key_of(name).key)

    assert refused(added, "its id")


async def test_an_agent_gets_no_groups_without_a_humans_signature() -> None:
    bench = await consent()
    add = bench.principals.add

    unsigned = await add(principal_id="agent:a", kind="agent", groups=("operators",))
    signed = await add(
        principal_id="agent:a", kind="agent", groups=("operators",), by="tom", signer=key_of("tom")
    )

    assert refused(unsigned, "groups need a human's signature")
    assert isinstance(signed, Registry)
    assert signed.principals["agent:a"].groups == ("operators",)


async def test_a_revoked_human_signs_nothing_more_and_their_key_never_returns() -> None:
    bench = await consent()
    principals = bench.principals
    await principals.revoke(principal_id="tom", reason="left", by="sarah", signer=key_of("sarah"))

    registry = await principals.registry()
    assert registry.human("tom") is None
    assert registry.former_keys == {key_of("tom").key: "tom"}
    assert refused(
        await principals.revoke(
            principal_id="sarah", reason="revenge", by="tom", signer=key_of("tom")
        ),
        "no human whom the chain knows",
    )
    assert refused(
        await principals.add(principal_id="agent:t", kind="agent", key=key_of("tom").key),
        "the key is or was somebody's",
    )
    assert refused(
        await principals.add(
            principal_id="tom", kind="human", key=key_of("tom2").key, assurance="file",
            by="sarah", signer=key_of("sarah"),
        ),
        "its id is taken",
    )  # fmt: skip


async def test_a_lost_key_is_replaced_by_the_recovery_code_which_can_add_nobody() -> None:
    bench = await consent()
    principals, code = bench.principals, key_of("code")
    await principals.set_recovery(key=code.key, by="sarah", signer=key_of("sarah"))

    nobody = await principals.add(
        principal_id="eve", kind="human", key=key_of("eve").key, assurance="file",
        by=None, signer=code,
    )  # fmt: skip
    wrong = await principals.rotate(
        principal_id="sarah", new_key=key_of("new").key, by=None, signer=key_of("guess")
    )
    after = await principals.rotate(
        principal_id="sarah", new_key=key_of("new").key, by=None, signer=code
    )

    assert refused(nobody, "added by a human")
    assert refused(wrong, "no key that the chain knows")
    assert isinstance(after, Registry)
    assert after.human_with_key(key_of("new").key) == after.principals["sarah"]
    assert after.human_with_key(key_of("sarah").key) is None


async def test_a_demo_key_vouches_for_demo_keys_only() -> None:
    bench = await consent()
    principals, demo = bench.principals, key_of("demo")
    await principals.add(
        principal_id="demo", kind="human", key=demo.key, assurance="demo", by="sarah",
        signer=key_of("sarah"),
    )  # fmt: skip

    async def add(assurance: str) -> object:
        return await principals.add(
            principal_id=f"by-{assurance}", kind="human", key=key_of(f"by-{assurance}").key,
            assurance=assurance, by="demo", signer=demo,  # type: ignore[arg-type]  # parametrised
        )  # fmt: skip

    worth = "a demo key vouches for demo keys only"
    assert refused(await add("file"), worth)
    assert refused(
        await principals.revoke(principal_id="sarah", reason="x", by="demo", signer=demo), worth
    )
    assert refused(
        await principals.set_recovery(key=key_of("c").key, by="demo", signer=demo), worth
    )
    assert isinstance(await add("demo"), Registry)


async def test_a_cluster_without_a_human_takes_its_first_by_their_own_word_once() -> None:
    bench = await consent()
    bench.store.objects.clear()
    principals = bench.principals
    empty = await principals.genesis()

    async def first(name: str, signer: str) -> object:
        return await principals.add(
            principal_id=name, kind="human", key=key_of(name).key, assurance="file",
            by=name, signer=key_of(signer),
        )  # fmt: skip

    assert empty.principals == {}
    assert refused(await first("sarah", "eve"), "the first human's signature does not hold")
    assert isinstance(await first("sarah", "sarah"), Registry)
    assert refused(await first("eve", "eve"), "no human whom the chain knows")


async def test_a_root_without_a_chain_knows_nobody() -> None:
    bench = await consent()
    bench.store.objects.clear()

    assert await bench.principals.registry() == NO_CHAIN
    assert not NO_CHAIN.exists


def drop_second(bench: Consent) -> None:
    del bench.store.objects[numbered_key(PRINCIPALS_FOLDER, 2)]


def swap(bench: Consent) -> None:
    keys = [numbered_key(PRINCIPALS_FOLDER, n) for n in (2, 3)]
    objects = bench.store.objects
    objects[keys[0]], objects[keys[1]] = objects[keys[1]], objects[keys[0]]


def edit(old: bytes, new: bytes, number: int = 2) -> Callable[[Consent], None]:
    def change(bench: Consent) -> None:
        key = numbered_key(PRINCIPALS_FOLDER, number)
        assert old in bench.store.objects[key]
        bench.store.objects[key] = bench.store.objects[key].replace(old, new)

    return change


@pytest.mark.parametrize(
    "tamper",
    [
        pytest.param(drop_second, id="a record is missing"),
        pytest.param(swap, id="two records are swapped"),
        pytest.param(edit(b'"tom"', b'"tim"'), id="a name is edited"),
        pytest.param(edit(b'"kind":"agent"', b'"kind":"human"', 3), id="an agent is made a human"),
        pytest.param(edit(b'"by":"sarah"', b'"by":"tom"'), id="another is said to have signed"),
        pytest.param(edit(b'{"at"', b'{"at":"x","at"'), id="a key stands twice"),
        pytest.param(edit(b"}", b"} ", 1), id="the bytes are not canonical"),
        pytest.param(edit(b'"version":1', b'"version":2'), id="another version"),
        pytest.param(edit(b'"add"', b'"bless"'), id="an unknown kind"),
        pytest.param(edit(b'"file"', b'"touch"'), id="a key is made worth more"),
    ],
)
async def test_a_chain_that_was_tampered_with_is_not_believed(
    tamper: Callable[[Consent], None],
) -> None:
    bench = await consent()
    tamper(bench)

    with pytest.raises(PrincipalsBrokenError, match="principals chain"):
        await bench.principals.registry()


async def test_a_field_that_is_not_set_may_not_be_written_out() -> None:
    bench = await consent()
    fields = msgspec.json.decode(chain(bench)[2])
    fields["body"]["assurance"] = None

    assert decode_record(canonical_bytes(fields)) == "a field that is not set is written out"


async def test_a_whole_chain_by_another_human_is_another_cluster() -> None:
    """A substituted registry is consistent in itself; what pins a cluster is its id."""
    bench = await consent()
    mallory = FirstHuman(id="sarah", key=key_of("mallory").key, assurance="file")
    record = PrincipalRecord(
        n=1,
        previous=None,
        kind="genesis",
        at="2026-11-21T03:30:00.000Z",
        nonce="0" * 32,
        by="sarah",
        body=GenesisBody(human=mallory),
    )
    _, signature = key_of("mallory").sign(record.signed_bytes, PRINCIPALS_NAMESPACE)
    other = verify_chain(
        [record_bytes(msgspec.structs.replace(record, signature=signature))], verify
    ).registry

    assert other is not None
    assert other.human("sarah") is not None
    assert other.cluster_id != bench.cluster_id


class Scribbler:
    """Signs with something that is no signature."""

    key = key_of("mallory").key

    def sign(self, data: bytes, namespace: str) -> tuple[str, str]:
        return self.key, f"not a signature of {len(data)} bytes in {namespace}"


@pytest.mark.parametrize("by", [None, "sarah", "tom"])
async def test_what_is_no_signature_is_nobodys_word(by: str | None) -> None:
    bench = await consent()
    assert (await bench.principals.registry()).recovery is None

    taken_over = await bench.principals.rotate(
        principal_id="sarah", new_key=key_of("mallory").key, by=by, signer=Scribbler()
    )

    assert refused(taken_over, "its signature does not hold")


@pytest.mark.parametrize("by", [None, "agent:sarah", "mallory"])
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("revoke", RevokeBody(id="sarah", key=key_of("sarah").key, reason="x")),
        ("rotate", RotateBody(id="sarah", old=key_of("sarah").key, new=key_of("mallory").key)),
        (
            "rotate",
            RotateBody(id="agent:sarah", old=key_of("agent:sarah").key, new=key_of("m").key),
        ),
        ("groups", GroupsBody(id="agent:sarah", groups=("operators",))),
        ("recovery", RecoveryBody(key=key_of("mallory").key)),
        (
            "delegate",
            DelegateBody(
                source="sarah",
                to="tom",
                kinds=("delete",),
                resources=("graph.a",),
                until="2026-12-01T00:00:00.000Z",
            ),
        ),
    ],
)
async def test_a_record_about_keys_or_humans_needs_a_signature(
    kind: RecordKind, body: Body, by: str | None
) -> None:
    bench = await consent()
    judged = advance(await bench.principals.registry(), unsigned(bench, kind, body, by), verify)

    assert judged.registry is None


def unsigned(bench: Consent, kind: RecordKind, body: Body, by: str | None) -> bytes:
    return record_bytes(next_record(bench, kind, body, by))


def next_record(bench: Consent, kind: RecordKind, body: Body, by: str | None) -> PrincipalRecord:
    stored = chain(bench)
    return PrincipalRecord(
        n=len(stored) + 1,
        previous=f"sha256:{sha256_hex(stored[-1])}",
        kind=kind,
        at="2026-11-21T04:00:00.000Z",
        nonce="0" * 32,
        by=by,
        body=body,
    )


async def test_a_record_names_the_one_before_it() -> None:
    bench = await consent()
    registry = await bench.principals.registry()
    agent = AddBody(id="agent:x", kind="agent", groups=())
    right = next_record(bench, "add", agent, None)
    wrong = msgspec.structs.replace(right, previous=f"sha256:{sha256_hex(chain(bench)[0])}")

    assert advance(registry, record_bytes(right), verify).registry is not None
    assert advance(registry, record_bytes(wrong), verify).registry is None


@pytest.mark.parametrize(
    ("source", "to", "until", "taken"),
    [
        ("sarah", "tom", "2026-12-21T04:00:00.000Z", True),
        ("sarah", "tom", "2026-12-21T04:00:00.001Z", False),
        ("sarah", "tom", "2026-11-21T04:00:00.000Z", False),
        ("sarah", "agent:sarah", "2026-12-01T00:00:00.000Z", False),
        ("sarah", "sarah", "2026-12-01T00:00:00.000Z", False),
        ("tom", "sarah", "2026-12-01T00:00:00.000Z", False),
        ("sarah", "tom", "soon", False),
    ],
)
async def test_a_delegation_is_to_a_human_by_its_source_for_at_most_thirty_days(
    source: str,
    to: str,
    until: str,
    taken: bool,  # noqa: FBT001  # a column of the table
) -> None:
    bench = await consent()
    body = DelegateBody(source=source, to=to, kinds=(), resources=(), until=until)
    record = next_record(bench, "delegate", body, "sarah")
    _, signature = key_of("sarah").sign(record.signed_bytes, PRINCIPALS_NAMESPACE)
    data = record_bytes(msgspec.structs.replace(record, signature=signature))

    judged = advance(await bench.principals.registry(), data, verify)

    assert (judged.registry is not None) == taken
    assert b'"from":' in data

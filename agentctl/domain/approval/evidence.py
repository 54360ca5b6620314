"""What a person elsewhere decides by: bytes of the cluster, judged on the person's own machine. Pure.

Nothing that a server says is believed. The principals chain must begin with the record whose digest
the context pins, and holds by its own signatures; the rules have the digest that the statement names;
the plan has its own digest, is made of the files whose digests are computed again, and holds the very
change that the statement is about. The page is made of these values and of no other, so what it shows
is what the signature covers. What cannot be computed again (how many rows there are at this moment,
how often somebody asked) is not shown. Source: access-and-faces 3.5, ADR 0018.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeVar

import msgspec

from agentctl.canonical import sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.approval.codec import decode
from agentctl.domain.approval.decision import check_artifact, request_fault
from agentctl.domain.approval.facts import Check, DecisionFacts
from agentctl.domain.approval.records import ApprovalRequest, DecisionArtifact, Seen
from agentctl.domain.approval.words import compare_words
from agentctl.domain.config.cluster_file import parse_config
from agentctl.domain.config.load import resolve
from agentctl.domain.config.model import DesiredCluster
from agentctl.domain.config.paths import CLUSTER_FILE
from agentctl.domain.config.snapshot import FolderSnapshot
from agentctl.domain.config.wanting import wanted
from agentctl.domain.plan.approval_rules import AppliedRule, requirements, rules_digest
from agentctl.domain.plan.codec import KeptPlan, decode_kept
from agentctl.domain.plan.model import GATED, Change
from agentctl.domain.plan.trials import Trial, bound_of, sides_of
from agentctl.domain.policy.principals import Registry, Verify
from agentctl.domain.policy.principals_chain import verify_chain
from agentctl.instants import format_instant, parse_instant

T = TypeVar("T")
CheckCedar = Callable[[str], Sequence[str]]
FILE_KINDS: Final = frozenset({"schema", "query", "policy"})
"""Kinds of resources whose digest is that of a file's bytes."""
MIGRATED: Final = "schema"
"""The kind whose change is told by the steps of its migration, which are sealed, without its text."""
FOLDER: Final = "folder"


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One request with the bytes that it stands on, as the storage has them."""

    request: bytes
    """Of its record."""
    principals: tuple[bytes, ...]
    """The whole chain, from its first record on."""
    rules: tuple[AppliedRule, ...]
    """The approval rules in force."""
    plan: bytes
    """Of the kept plan that it was asked from."""
    files: Mapping[str, bytes]
    """cluster.yaml and the files that it names, of the plan's target."""
    before: bytes | None = None
    """The content of the resource as it is applied, where that is a file's."""
    decisions: tuple[bytes, ...] = ()
    """Records of the decisions about it so far."""
    seen: Seen
    """Goes into the decision as it stands here; its plan is checked."""


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence that holds together: what to show, and what to sign."""

    request: ApprovalRequest
    registry: Registry
    plan: KeptPlan
    change: Change
    """The sealed parts of the change alone."""
    seen: Seen
    rules: tuple[AppliedRule, ...]
    approvals: tuple[DecisionArtifact, ...]
    """Good ones, each by an enrolled human."""
    before: str | None
    """The text that is replaced, where the resource is a file."""
    after: str | None
    """The text that replaces it."""
    now: str


class EvidenceError(Exception):
    """Two parts of the evidence contradict each other, or one cannot be computed again."""


def judge(
    evidence: Evidence,
    *,
    request_id: str,
    cluster_id: str,
    now: datetime,
    verify: Verify,
    check_cedar: CheckCedar,
) -> Judged:
    """Returns the evidence of the request that was asked about, every digest computed here.

    Args:
        evidence: as it was fetched.
        request_id: which request the person named.
        cluster_id: of the cluster that the person means.
        now: the time on this machine.
        verify: checks SSHSIG signatures.
        check_cedar: asks Cedar about policies among the files.

    Raises:
        EvidenceError: it does not hold; the message says which part.
    """
    registry = _registry(evidence, cluster_id, verify)
    request = _taken(decode(ApprovalRequest, evidence.request, path="request"))
    _holds(request.request_id == request_id, "the request is another one than you named")
    fault = request_fault(request, registry, evidence.rules)
    _holds(fault is None, f"the request is refused: {fault}")
    _holds(
        request.statement.rules == rules_digest(evidence.rules),
        "the approval rules are not those that the statement names",
    )
    plan = _taken(decode_kept(evidence.plan, path="plan"))
    _check_plan(plan, request, cluster_id)
    _check_files(plan, _desired(evidence.files, check_cedar), evidence.files)
    change = _change(plan, request)
    _holds(evidence.seen.plan_digest == plan.digest, "the decision would name another plan")
    return Judged(
        request=request,
        registry=registry,
        plan=plan,
        change=change,
        seen=evidence.seen,
        rules=evidence.rules,
        approvals=_approvals(evidence, request, registry, verify),
        before=_before(evidence, request),
        after=_after(evidence, request),
        now=format_instant(now),
    )


def facts_of(judged: Judged, *, cluster_name: str, key: str | None) -> DecisionFacts:
    """Returns what the page shows: values of the evidence, and nothing that somebody else says.

    Args:
        judged: the evidence.
        cluster_name: what the person calls the cluster.
        key: the public key of the person; None where they have none.
    """
    request, effect = judged.request, judged.request.statement.effect
    statement, registry = request.statement, judged.registry
    now = parse_instant(judged.now)
    asker = registry.principals.get(request.requester)
    human = registry.human_with_key(key) if key is not None else None
    kept = now + timedelta(seconds=effect.kept_s) if effect.kept_s else None
    others = [c for c in judged.plan.plan.changes if c.resource != statement.resource]
    gated = sum(bool(GATED.intersection(c.classes)) for c in others)
    named = ("chain", "statement", "rules", "plan", "files")
    return DecisionFacts(
        request=request,
        cluster_name=cluster_name,
        trust_column="?",
        trust_line="what holds at the cluster is for its own machine to say",
        waiting_index=1,
        waiting_count=1,
        standing="waiting" if now < parse_instant(request.expires_at) else "expired",
        standing_why=(),
        rows_now=effect.rows,
        node_types=(),
        bytes_now=effect.bytes,
        last_write=effect.last_write,
        queries=statement.readers,
        restore_until=format_instant(kept) if kept is not None else None,
        archives=effect.archives,
        requester_enrolled=asker is not None and not asker.revoked,
        deletes_asked_before=None,
        source_in_folder=judged.plan.plan.target == FOLDER,
        other_reversible=len(others) - gated,
        other_gated=gated,
        checks=tuple(Check(what=what, ok=True) for what in named),
        approvals_so_far=len(judged.approvals),
        compare=compare_words(request.gate_digest),
        assurance=human.assurance if human is not None else None,
        now=judged.now,
        why=f"{statement.operation} of {statement.resource}",
        change=judged.change,
        asked=requirements(judged.rules, resource=statement.resource, classes=statement.classes),
        approvers=tuple(a.approver for a in judged.approvals),
        tried=request.tried if isinstance(request.tried, Trial) else None,
        tried_told="nowhere" if request.tried is msgspec.UNSET else "request",
    )


def statement_lines(judged: Judged) -> tuple[tuple[str, str], ...]:
    """Returns every field of what is signed over, as written: the name and the value of each."""
    fields = msgspec.to_builtins(judged.request.statement)
    assert isinstance(fields, dict)
    found = [(name, _text(value)) for name, value in sorted(fields.items())]
    return (*found, ("gate_digest", judged.request.gate_digest), ("plan", judged.plan.digest))


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value, order="sorted").decode()


def _registry(evidence: Evidence, cluster_id: str, verify: Verify) -> Registry:
    records = evidence.principals
    first = sha256_hex(records[0]) if records else ""
    _holds(first == cluster_id, "the principals chain does not begin as the pinned cluster's does")
    reading = verify_chain(records, verify)
    why = reading.diagnostics[0].message if reading.diagnostics else ""
    _holds(reading.registry is not None, f"the principals chain does not hold: {why}")
    assert reading.registry is not None
    return reading.registry


def _check_plan(plan: KeptPlan, request: ApprovalRequest, cluster_id: str) -> None:
    _holds(plan.digest == request.plan_digest, "the plan is not the one that the request names")
    _holds(plan.plan.cluster_id == cluster_id, "the plan is of another cluster")
    same = plan.plan.config_digest == request.config_digest
    _holds(same, "the plan is of another configuration than the request names")


def _desired(files: Mapping[str, bytes], check_cedar: CheckCedar) -> DesiredCluster:
    """Returns what the files declare, parsed and checked here."""
    written = files.get(CLUSTER_FILE)
    if written is None:
        msg = f"the files lack {CLUSTER_FILE}"
        raise EvidenceError(msg)
    parsed = parse_config(written)
    asked = wanted(parsed)
    listings = {folder: tuple(_names_in(folder, files)) for folder in asked.directories}
    seen = FolderSnapshot(
        files=files,
        listings={folder: names for folder, names in listings.items() if names},
        folders=frozenset(asked.folders),
    )
    loaded = resolve(parsed, seen, check_cedar=check_cedar)
    if loaded.desired is None:
        first = next(d for d in loaded.diagnostics if d.severity == "error")
        msg = f"the files do not hold together: {first.code} at {first.path}"
        raise EvidenceError(msg)
    return loaded.desired


def _names_in(folder: str, files: Mapping[str, bytes]) -> Iterator[str]:
    for path in sorted(files):
        above, _, name = path.rpartition("/")
        if (above or ".") == folder and name.endswith(".gq"):
            yield name


def _check_files(plan: KeptPlan, desired: DesiredCluster, files: Mapping[str, bytes]) -> None:
    for path in sorted({*files, *plan.sources}):
        digest = sha256_hex(files[path]) if path in files else None
        _holds(digest == plan.sources.get(path), f"the file {path!a:.80} is not the plan's")
    _holds(
        desired.config_digest == plan.plan.config_digest,
        "the files make another configuration than the plan's",
    )
    digests = {one.address: one.digest for one in desired.resources}
    same = digests == dict(plan.plan.resource_digests)
    _holds(same, "the files make other resources than the plan's")


def _change(plan: KeptPlan, request: ApprovalRequest) -> Change:
    """Returns the sealed parts of the change that the statement is about."""
    statement = request.statement
    found = [c for c in plan.plan.changes if c.resource == statement.resource]
    _holds(len(found) == 1, "the plan has no such change")
    change = found[0]
    _holds(change.operation == statement.operation, "the plan does something else to it")
    _holds(change.classes == statement.classes, "the plan's change is of other classes")
    sides = sides_of(change)
    _holds(
        (statement.before, statement.after) in sides, "the plan's change is between other states"
    )
    known = statement.migration_digest in bound_of(change)
    _holds(known, "what the statement binds besides is not what the plan does")
    readers = tuple(a for a in statement.dependents if a.startswith("query."))
    _holds(statement.readers == readers, "its readers are not those among its dependents")
    return Change(
        resource=change.resource,
        operation=change.operation,
        classes=change.classes,
        before_digest=change.before_digest,
        after_digest=change.after_digest,
        bindings=change.bindings,
        settings=change.settings,
        moved_from=change.moved_from,
        metadata_change=change.metadata_change,
        migration=change.migration,
        group=change.group,
    )


def _before(evidence: Evidence, request: ApprovalRequest) -> str | None:
    wanted_digest, kind = request.statement.before, request.statement.resource.partition(".")[0]
    if kind not in FILE_KINDS or wanted_digest is None:
        _holds(evidence.before is None, "there is no text that would be replaced")
        return None
    given = evidence.before
    _holds(given is not None or kind == MIGRATED, "the text that would be replaced is missing")
    if given is None:
        return None
    same = sha256_hex(given) == wanted_digest
    _holds(same, "the text that would be replaced is another one")
    return given.decode("utf-8", "backslashreplace")


def _after(evidence: Evidence, request: ApprovalRequest) -> str | None:
    wanted_digest, kind = request.statement.after, request.statement.resource.partition(".")[0]
    if kind not in FILE_KINDS or wanted_digest is None:
        return None
    found = next((d for d in evidence.files.values() if sha256_hex(d) == wanted_digest), None)
    _holds(found is not None, "no file is what the statement brings")
    assert found is not None
    return found.decode("utf-8", "backslashreplace")


def _approvals(
    evidence: Evidence, request: ApprovalRequest, registry: Registry, verify: Verify
) -> tuple[DecisionArtifact, ...]:
    """Returns the approvals among the decisions; one that does not hold is no evidence of anything."""
    found: dict[str, DecisionArtifact] = {}
    for data in evidence.decisions:
        artifact = _taken(decode(DecisionArtifact, data, path="decision"))
        checked = check_artifact(artifact, request, registry, verify)
        _holds(checked.verdict != "refused", f"a decision does not hold: {checked.why}")
        if checked.verdict == "holds" and artifact.decision == "approve":
            found[artifact.approver] = artifact
    return tuple(found[name] for name in sorted(found))


def _taken(found: T | Diagnostic) -> T:
    if isinstance(found, Diagnostic):
        raise EvidenceError(found.message)
    return found


def _holds(holds: bool, otherwise: str) -> None:  # noqa: FBT001  # reads as a sentence
    if not holds:
        raise EvidenceError(otherwise)

"""The same door over HTTP: an operation's name and arguments go out, its envelope comes back.

Whoever answers is not believed to be the cluster that is meant: `who` compares its id with the one
that the context pins, and what a person signs is never taken from an answer (`remote_approval`).
Source: access-and-faces 3.5.
"""

from collections.abc import Mapping
from typing import Any, Final, get_args

import msgspec

from agentctl.adapters.wire.posting import Wire, WireError
from agentctl.diagnostics.codes import CODES
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.policy.caller import Caller
from agentctl.engine.identity import Identity
from agentctl_tools.contexts import Context
from agentctl_tools.envelopes import failed
from agentctl_tools.identity import IdentityShown
from agentctl_tools.lookup import find_operation
from agentctl_tools.operation import Envelope, Next

ROUTE: Final = "/v1/ops/"
_SUCCESS_BELOW: Final = 300
_LATER: Final = "server_answer_unreadable"
"""In place of a code of a later release."""


def wire_to(url: str, secret: str) -> Wire:
    """Returns the way to the server at *url*, whose form was checked; whoever asks closes it."""
    return Wire(url, secret)


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An envelope as it comes over the wire; a later release may have more fields."""

    ok: bool
    summary: str
    next: tuple[Next, ...] = ()
    data: msgspec.Raw = msgspec.Raw(b"null")
    diagnostics: tuple[Mapping[str, object], ...] = ()
    more: str | None = None


class RemoteDoor:
    """The door of one cluster elsewhere."""

    def __init__(self, wire: Wire, context: Context) -> None:
        self._wire = wire
        self.context = context

    async def call(self, name: str, arguments: Mapping[str, object]) -> Envelope:
        """Returns what the operation answers there, or why nothing usable came back."""
        if not name.isidentifier():
            return failed((error("unknown_operation", name, "that is no operation's name"),))
        try:
            status, body = await self._wire.post(f"{ROUTE}{name}", msgspec.json.encode(arguments))
        except WireError as failure:
            return failed((_unreachable(self.context.url, failure),))
        return decode_answer(name, status, body, url=self.context.url)

    async def who(self) -> Caller | Diagnostic:
        """Returns whom the token names there, unless the cluster is another than the pinned one."""
        shown = await self._shown()
        if isinstance(shown, Diagnostic):
            return shown
        if shown.cluster_id != self.context.cluster_id:
            return another_cluster(self.context, shown.cluster_id)
        return _caller(shown.identity)

    async def cluster_id(self) -> str | Diagnostic:
        """Returns the id of the cluster that answers, by its own word."""
        shown = await self._shown()
        return shown if isinstance(shown, Diagnostic) else shown.cluster_id

    async def _shown(self) -> IdentityShown | Diagnostic:
        envelope = await self.call("identity_show", {})
        if envelope.ok and isinstance(envelope.data, IdentityShown):
            return envelope.data
        return next(iter(envelope.diagnostics), _unreadable(self.context.url, "it is empty"))


def decode_answer(name: str, status: int, body: bytes, *, url: str) -> Envelope:
    """Returns the envelope in the body of an answer, its data in the operation's own type."""
    try:
        answer = msgspec.json.decode(body, type=_Answer)
        data = _data_of(name, answer)
        told = tuple(map(_diagnostic, answer.diagnostics))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return failed((_unreadable(url, f"its status is {status}"),))
    if answer.ok and status >= _SUCCESS_BELOW:
        return failed((_unreadable(url, f"its status is {status}, and it says that it worked"),))
    return Envelope(
        ok=answer.ok,
        summary=answer.summary,
        next=answer.next,
        data=data,
        diagnostics=told,
        more=answer.more,
    )


def another_cluster(context: Context, found: str) -> Diagnostic:
    """Returns what to tell where another cluster answers than the one that is meant."""
    return error(
        "server_mismatch",
        context.url,
        f"another cluster answers there: {found[:12]!a} in place of {context.cluster_id[:12]!a}",
        detail="The context pins the id of the cluster. Nothing was done.",
        remedy="Ask its operator, then: agentctl context add",
    )


def _data_of(name: str, answer: _Answer) -> Any:  # noqa: ANN401  # the operation says which type
    """Returns the data in the operation's own type; that of a refusal may be of any form."""
    operation = find_operation(name)
    plain = _in_our_codes(msgspec.json.decode(answer.data))
    if operation is None or operation.result is None or plain is None:
        return plain
    for kind in get_args(operation.result) or (operation.result,):
        known = {field.encode_name for field in msgspec.structs.fields(kind)}
        if isinstance(plain, dict) and plain.keys() <= known:
            try:
                return msgspec.json.decode(msgspec.json.encode(plain), type=kind)
            except msgspec.ValidationError:
                continue
    if answer.ok:
        msg = "the data is of another form than the operation's"
        raise msgspec.ValidationError(msg)
    return plain


_OF_A_DIAGNOSTIC: Final = frozenset({"code", "severity", "path", "message"})


def _in_our_codes(plain: Any) -> Any:  # noqa: ANN401  # any JSON
    """Returns data whose diagnostics, wherever they stand in it, have codes of this release."""
    if isinstance(plain, list):
        return [_in_our_codes(one) for one in plain]
    if not isinstance(plain, dict):
        return plain
    found = {name: _in_our_codes(value) for name, value in plain.items()}
    if found.keys() >= _OF_A_DIAGNOSTIC and found["code"] not in CODES:
        found["code"] = _LATER
    return found


def _diagnostic(told: Mapping[str, object]) -> Diagnostic:
    """Returns a diagnostic of the other side; one of a later release under a code of ours."""
    if told.get("code") in CODES:
        return msgspec.convert(told, Diagnostic)
    return msgspec.convert({**told, "code": _LATER}, Diagnostic)


def _caller(identity: Identity) -> Caller:
    """Returns whom the other side says one is; it decides there, and nothing here."""
    return Caller(
        id=identity.id,
        kind=identity.kind,
        nid=identity.nid or identity.id,
        identity=identity.id,
        via="http",
        groups=identity.groups,
        enrolled=identity.enrolled,
    )


def _unreachable(url: str, failure: WireError) -> Diagnostic:
    sent = "the request may have arrived: look with `agentctl status` and `agentctl ops list`"
    return error(
        "server_unreachable",
        url,
        str(failure),
        detail=sent if failure.is_sent else "Nothing was sent.",
        remedy="agentctl context show",
    )


def _unreadable(url: str, why: str) -> Diagnostic:
    return error(
        "server_answer_unreadable",
        url,
        f"the answer is none of this release of agentctl: {why}",
        remedy="agentctl context show",
    )

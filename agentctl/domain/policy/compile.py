"""A bundle's bytes as what decides: YAML compiled to Cedar, Cedar as it is. Source: access-and-faces 1, 3.2.

Of YAML there is one ``permit`` for each rule and action, whose id is ``<rule>:<action>``. Two actions
that OmniGraph 0.10 does not have follow from its `read` where no rule names them, since its servers
answer them to whoever may read: the schema of a graph, and the list of its queries.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from agentctl.diagnostics.bag import Bag, has_errors
from agentctl.domain.config.cedar_file import check_cedar_file
from agentctl.domain.config.policy_file import (
    BRANCH_ACTIONS,
    OWN_CLUSTER_ACTIONS,
    OWN_GRAPH_ACTIONS,
    TARGET_ACTIONS,
    check_policy_file,
)
from agentctl.domain.policy.bundle_file import Bundle, Rule, looks_like_yaml, read_bundle
from agentctl.domain.policy.bundles import check_cedar
from agentctl.domain.policy.live import AppliedBundle
from agentctl.ids import CLUSTER, policy_address

UPSTREAM_GRAPH: Final = BRANCH_ACTIONS | TARGET_ACTIONS | {"admin", "invoke_query"}
"""Actions on graphs that OmniGraph 0.10 has: a bundle on a graph decides over each of them."""
FOLLOW_READ: Final = ("schema_read", "list_query")
"""Both are of what is deployed, so whoever may not read `main` has neither."""


def compile_bundle(
    data: bytes, *, name: str, digest: str, applies_to: tuple[str, ...]
) -> AppliedBundle:
    """Returns the bundle of *data*; a broken one where the strict check finds a fault."""
    path, bag = policy_address(name), Bag()
    is_yaml = looks_like_yaml(data)
    if is_yaml:
        bound = CLUSTER in applies_to
        check_policy_file(data, file="policy", path=path, cluster_bound=bound, bag=bag)
    else:
        check_cedar_file(data, file="policy", path=path, check=check_cedar, bag=bag)
    told = tuple(bag)
    if has_errors(told):
        first = next(d for d in told if d.severity == "error")
        return broken(first.message, name=name, digest=digest, applies_to=applies_to)
    if is_yaml:
        return _of_yaml(read_bundle(data), name=name, digest=digest, applies_to=applies_to)
    return AppliedBundle(
        name=name,
        digest=digest,
        applies_to=applies_to,
        kind="cedar",
        text=data.decode("utf-8").removeprefix("\ufeff"),
    )


def broken(why: str, *, name: str, digest: str, applies_to: tuple[str, ...]) -> AppliedBundle:
    """Returns a bundle that denies what it would decide, because of *why*."""
    return AppliedBundle(
        name=name, digest=digest, applies_to=applies_to, kind="broken", fault=" ".join(why.split())
    )


def quoted(text: str) -> str:
    """Returns *text* as a string of Cedar."""
    escaped = "".join(
        c if c.isprintable() and c not in '"\\' else f"\\u{{{ord(c):x}}}" for c in text
    )
    return f'"{escaped}"'


def _of_yaml(
    bundle: Bundle, *, name: str, digest: str, applies_to: tuple[str, ...]
) -> AppliedBundle:
    texts: dict[str, list[str]] = {}
    for rule in bundle.rules:
        for action in _actions(rule, bundle):
            texts.setdefault(action, []).append(_permit(rule, action, name, applies_to))
    by_action = {action: "\n".join(parts) for action, parts in texts.items()}
    return AppliedBundle(
        name=name,
        digest=digest,
        applies_to=applies_to,
        kind="yaml",
        text="\n".join(by_action.values()),
        by_action=by_action,
        decides=decided(bundle, on_cluster=CLUSTER in applies_to),
        groups=bundle.groups,
        protected_branches=bundle.protected_branches,
    )


def decided(bundle: Bundle, *, on_cluster: bool) -> frozenset[str]:
    """Returns the actions over which a bundle decides, whether or not it permits them to anyone.

    Those of OmniGraph 0.10 always; ours where a rule names one, since a bundle that was written for
    0.10 does not speak of them.
    """
    if on_cluster:
        return frozenset({"graph_list"}) | (bundle.named_actions & OWN_CLUSTER_ACTIONS)
    named = bundle.named_actions & OWN_GRAPH_ACTIONS
    return UPSTREAM_GRAPH | frozenset(FOLLOW_READ) | named


def _actions(rule: Rule, bundle: Bundle) -> Iterator[str]:
    """Yields the actions of a rule, and what follows from `read`."""
    yield from rule.actions
    if "read" in rule.actions:
        yield from (a for a in FOLLOW_READ if a not in bundle.named_actions)


def _permit(rule: Rule, action: str, name: str, applies_to: tuple[str, ...]) -> str:
    group = quoted(f"{name}/{rule.group}")
    told = [*_scope(applies_to), *_branches(rule, action)]
    when = f" when {{ {' && '.join(told)} }}" if told else ""
    return (
        f"@id({quoted(f'{rule.id}:{action}')})\n"
        f"permit (principal in AgentCtl::Group::{group},"
        f' action == AgentCtl::Action::"{action}", resource){when};\n'
    )


def _scope(applies_to: tuple[str, ...]) -> Iterator[str]:
    graphs = [f"AgentCtl::Graph::{quoted(a.removeprefix('graph.'))}" for a in applies_to]
    if CLUSTER not in applies_to:
        yield f"resource in [{', '.join(graphs)}]"


def _branches(rule: Rule, action: str) -> Iterator[str]:
    """Yields the condition of a scope; what names no branch is in none but `any`."""
    fields: Mapping[str, str] = {}
    if action in BRANCH_ACTIONS or (action in FOLLOW_READ and "read" in rule.actions):
        fields = {"branch": rule.branch_scope}
    elif action in TARGET_ACTIONS:
        fields = {"target_branch": rule.target_branch_scope}
    for field, scope in fields.items():
        if scope != "any":
            sign = "" if scope == "protected" else "!"
            yield f"context has {field}"
            yield f"{sign}context.{field}_is_protected"

"""Policies of a cluster: what each is bound to, and whether its file is right.

Source: control-plane 1.1 and 1.8.
"""

from typing import Final

from agentctl.diagnostics.bag import Bag
from agentctl.diagnostics.diagnostic import Related, error
from agentctl.domain.config.cedar_file import CheckCedar, check_cedar_file
from agentctl.domain.config.given import Text
from agentctl.domain.config.model import DesiredPolicy
from agentctl.domain.config.policy_file import check_policy_file
from agentctl.domain.config.references import Declared, candidates
from agentctl.domain.config.snapshot import FolderSnapshot
from agentctl.domain.config.sources import find_source
from agentctl.domain.config.written import WrittenCluster, WrittenPolicy
from agentctl.ids import CLUSTER, Address, graph_address, parse_address, policy_address
from agentctl.languages.text.addition import Addition
from agentctl.languages.text.suggest import did_you_mean

CEDAR_SUFFIX: Final = ".cedar"


def resolve_policies(
    written: WrittenCluster,
    snapshot: FolderSnapshot,
    bag: Bag,
    *,
    additions: list[Addition],
    check_cedar: CheckCedar | None = None,
) -> tuple[DesiredPolicy, ...]:
    """Returns the policies that could be resolved, sorted by name; faults and additions go where given."""
    graphs = frozenset(graph.id.text for graph in written.graphs)
    bound: dict[str, tuple[WrittenPolicy, Text]] = {}
    resolved: list[DesiredPolicy] = []
    for policy in sorted(written.policies, key=lambda p: p.name.text.encode()):
        address = policy_address(policy.name.text)
        scopes = _scopes(policy, graphs, bag)
        for scope, text in scopes.items():
            other = bound.setdefault(scope, (policy, text))
            if other[0] is not policy:
                _bound_twice(address, scope, text, other, bag)
        if policy.file is None:
            continue
        source = find_source(
            snapshot, policy.file, missing="policy_file_missing", path=address, bag=bag
        )
        if source is None:
            continue
        if source.path.endswith(CEDAR_SUFFIX):
            check_cedar_file(
                source.data, file=source.path, path=address, check=check_cedar, bag=bag
            )
        else:
            additions += check_policy_file(
                source.data,
                file=source.path,
                path=address,
                cluster_bound=CLUSTER in scopes if scopes else None,
                bag=bag,
            )
        resolved.append(
            DesiredPolicy(
                name=policy.name.text,
                file=source.path,
                digest=source.digest,
                applies_to=tuple(sorted(scopes)),
            )
        )
    return tuple(resolved)


def _scopes(policy: WrittenPolicy, graphs: frozenset[str], bag: Bag) -> dict[Address, Text]:
    """Returns the normalised references with where each is written."""
    address = policy_address(policy.name.text)
    scopes: dict[Address, Text] = {}
    for text in policy.applies_to:
        scope = _scope(text, graphs, address, bag)
        if scope is not None:
            scopes.setdefault(scope, text)
    if CLUSTER in scopes and len(scopes) > 1:
        message = f"`policies.{policy.name.text}` applies to the cluster and to graphs at once"
        remedy = "Split it: one policy for `cluster`, another for the graphs."
        where = scopes[CLUSTER].where
        bag.add(error("policy_mixed_binding_kinds", address, message, where=where, remedy=remedy))
    return scopes


def _scope(text: Text, graphs: frozenset[str], address: str, bag: Bag) -> Address | None:
    if text.text == CLUSTER:
        return CLUSTER
    parsed = parse_address(text.text)
    if parsed is not None and parsed.kind != "graph":
        message = f"`{text.text}` is no graph; a policy applies to `cluster` or to graphs"
        known = Declared(graph_address(graph) for graph in graphs)
        remedy = candidates(parsed.graph or parsed.name, ("graph",), known)
        bag.add(error("wrong_kind_reference", address, message, where=text.where, remedy=remedy))
        return None
    graph = parsed.name if parsed is not None else text.text
    if graph in graphs:
        return graph_address(graph)
    listed = "Declare the graph, or take it out here."
    remedy = did_you_mean(graph, sorted(graphs), otherwise=listed)
    message = f"the graph `{graph}` is not declared"
    bag.add(error("dangling_graph_reference", address, message, where=text.where, remedy=remedy))
    return None


def _bound_twice(
    address: str, scope: str, text: Text, other: tuple[WrittenPolicy, Text], bag: Bag
) -> None:
    message = f"`{scope}` is bound to `{other[0].name.text}` already"
    related: tuple[Related, ...] = ()
    if other[1].where is not None:
        related = (Related(where=other[1].where, message="it is bound first here"),)
    bag.add(
        error(
            "duplicate_policy_binding",
            address,
            message,
            where=text.where,
            related=related,
            remedy="Merge the two policies, or bind one of them elsewhere.",
        )
    )

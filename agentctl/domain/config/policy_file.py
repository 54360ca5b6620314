"""The strict structure check of a policy bundle. Source: access-and-faces 1, control-plane 1.1."""

from typing import Final

from agentctl.diagnostics.bag import Bag
from agentctl.diagnostics.diagnostic import Related, error, warning
from agentctl.diagnostics.span import Span
from agentctl.domain.config.faults import meant
from agentctl.domain.config.fields import Fields, Reader, is_null
from agentctl.domain.config.yaml_tree import MapEntry, MapNode, Node, ScalarNode, parse_yaml
from agentctl.languages.text.addition import Addition

BRANCH_ACTIONS: Final = frozenset({"read", "export", "change"})
TARGET_ACTIONS: Final = frozenset(
    {"schema_apply", "branch_create", "branch_delete", "branch_merge"}
)
OWN_GRAPH_ACTIONS: Final = frozenset({"embed", "list_query"})
OWN_CLUSTER_ACTIONS: Final = frozenset(
    {
        "cluster_plan", "cluster_apply", "cluster_refresh", "cluster_import",
        "cluster_force_unlock", "draft_edit", "sandbox_create", "sandbox_use", "sandbox_publish",
        "op_rollback", "pipeline_run", "rollout_open",
    }
)  # fmt: skip
"""With the two of graphs, the actions that OmniGraph 0.10 does not have. Source: 3.2."""
GRAPH_ACTIONS: Final = (
    BRANCH_ACTIONS | TARGET_ACTIONS | OWN_GRAPH_ACTIONS | {"admin", "invoke_query"}
)
CLUSTER_ACTIONS: Final = OWN_CLUSTER_ACTIONS | {"graph_list"}
EVERY_ACTION: Final = GRAPH_ACTIONS | CLUSTER_ACTIONS
_SORTED_ACTIONS: Final = tuple(sorted(EVERY_ACTION))
SCOPES: Final = ("any", "protected", "unprotected")
_KINDS: Final = {"server": True, "graph": False}
"""The deprecated `kind` of a file, and whether it means a cluster-bound bundle."""


def check_policy_file(
    data: bytes,
    *,
    file: str,
    path: str,
    cluster_bound: bool | None,
    bag: Bag,
) -> tuple[Addition, ...]:
    """Adds every fault of a policy bundle to *bag*; returns what OmniGraph 0.10 would refuse.

    Args:
        data: The file.
        file: Its path, for places.
        path: The policy's address.
        cluster_bound: Whether it applies to the cluster; None where `applies_to` has errors.
        bag: Takes the faults, all `policy_invalid` but repeated keys.
    """
    document = parse_yaml(data, file=file, code="policy_invalid")
    bag.add(*document.diagnostics)
    reader = Reader(bag, code="policy_invalid", path=path)
    if document.root is None:
        if not document.diagnostics:
            message = f"`{file}` is empty"
            bag.add(error("policy_invalid", path, message, remedy="Begin it with `version: 1`."))
        return ()
    if not isinstance(document.root, MapNode):
        reader.fault("a policy is a mapping of fields", document.root.where)
        return ()
    fields = Fields(document.root, reader, label=f"`{file}`")
    fields.one("version", code="policy_invalid")
    groups = _groups(fields.value("groups"), reader)
    _branches(fields.value("protected_branches"), reader)
    bundle = _Bundle(groups, cluster_bound)
    _rules(fields.value("rules"), bundle, reader)
    kind = fields.entry_hidden("kind")
    if kind is not None:
        _kind(kind, cluster_bound, reader)
        message = "`kind`, which 0.10 does not know any more and refuses"
        bundle.added("policy-kind", message, kind.key.where)
    fields.close()
    return tuple(bundle.additions)


class _Bundle:
    """What a rule is judged against."""

    def __init__(self, groups: frozenset[str], cluster_bound: bool | None) -> None:  # noqa: FBT001  # private
        self.groups = groups
        self.cluster_bound = cluster_bound
        self.rules: dict[str, ScalarNode] = {}
        self.additions: list[Addition] = []

    def added(self, feature: str, message: str, where: Span) -> None:
        """Notes something that OmniGraph 0.10 refuses."""
        self.additions.append(Addition(kind="added", feature=feature, where=where, message=message))


def _kind(entry: MapEntry, cluster_bound: bool | None, reader: Reader) -> None:  # noqa: FBT001  # private
    text = reader.text(entry.value, "`kind`")
    if text is None:
        return
    meant = _KINDS.get(text.text)
    if meant is None:
        reader.fault(f"`kind` is `{text.text}`; it was `server` or `graph`", text.where)
    elif cluster_bound is not None and meant != cluster_bound:
        bound = "the cluster" if cluster_bound else "graphs"
        remedy = "Take `kind` out, or correct `applies_to` in cluster.yaml."
        reader.fault(
            f"`kind: {text.text}` contradicts `applies_to`, which names {bound}",
            text.where,
            remedy=remedy,
        )
    else:
        message = "`kind` is deprecated; `applies_to` in cluster.yaml says what the policy is for"
        reader.bag.add(
            warning(
                "policy_kind_deprecated",
                reader.path,
                message,
                where=entry.key.where,
                remedy="Take `kind` out.",
            )
        )


def _groups(value: Node | None, reader: Reader) -> frozenset[str]:
    node = None if value is None else reader.mapping(value, "`groups`")
    if node is None:
        return frozenset()
    for entry in node.entries:
        name = entry.key.text
        if not name.strip():
            reader.fault("a group's name may not be blank", entry.key.where)
        actors = reader.texts(entry.value, f"`groups.{name}`")
        if actors == ():
            remedy = "List its actors, or take the group out."
            reader.fault(f"the group `{name}` is empty", entry.key.where, remedy=remedy)
        _nonblank(actors or (), f"`groups.{name}`", reader)
    return frozenset(entry.key.text for entry in node.entries)


def _branches(value: Node | None, reader: Reader) -> None:
    if value is not None:
        branches = reader.texts(value, "`protected_branches`")
        _nonblank(branches or (), "`protected_branches`", reader)


def _nonblank(texts: tuple[ScalarNode, ...], label: str, reader: Reader) -> None:
    for text in texts:
        if not text.text.strip():
            reader.fault(f"an item of {label} is blank", text.where)


def _rules(value: Node | None, bundle: _Bundle, reader: Reader) -> None:
    for item in (None if value is None else reader.items(value, "`rules`")) or ():
        if not isinstance(item, MapNode):
            reader.fault("a rule is a mapping with `id` and `allow`", item.where)
            continue
        fields = Fields(item, reader, label="a rule")
        value = fields.required("id", where=item.where)
        name = None if value is None else reader.text(value, "`id` of a rule")
        label = f"the rule `{name.text}`" if name else "a rule"
        if name is not None:
            _rule_id(name, bundle, reader)
        allow = fields.required("allow", where=item.where)
        _refuse_deny(fields, reader)
        fields.close()
        node = None if allow is None else reader.mapping(allow, f"`allow` of {label}")
        if node is not None:
            _allow(node, bundle, reader, label=label)


def _rule_id(name: ScalarNode, bundle: _Bundle, reader: Reader) -> None:
    if not name.text.strip():
        reader.fault("`id` of a rule is blank", name.where)
        return
    first = bundle.rules.setdefault(name.text, name)
    if first is not name:
        reader.bag.add(
            error(
                reader.code,
                reader.path,
                f"two rules have the id `{name.text}`",
                where=name.where,
                related=(Related(where=first.where, message="it stands first here"),),
                remedy="Rename one of them.",
            )
        )


def _refuse_deny(fields: Fields, reader: Reader) -> None:
    entry = fields.entry_hidden("deny")
    if entry is not None:
        remedy = "Rules only allow; what no rule allows is denied. Narrow the rules instead."
        reader.fault("a policy has no `deny`", entry.key.where, remedy=remedy)


def _allow(node: MapNode, bundle: _Bundle, reader: Reader, *, label: str) -> None:
    fields = Fields(node, reader, label=f"`allow` of {label}")
    _actors(fields.required("actors", where=node.where), bundle, reader, label=label)
    value = fields.required("actions", where=node.where)
    actions = _actions(value, bundle, reader, label=label) if value is not None else ()
    branch, target = fields.entry("branch_scope"), fields.entry("target_branch_scope")
    fields.close()
    if branch is not None and target is not None:
        remedy = "Split the rule in two."
        reader.fault(
            f"{label} has `branch_scope` and `target_branch_scope`", target.key.where, remedy=remedy
        )
    _scope(branch, actions, BRANCH_ACTIONS, reader)
    _scope(target, actions, TARGET_ACTIONS, reader)


def _actors(value: Node | None, bundle: _Bundle, reader: Reader, *, label: str) -> None:
    node = None if value is None else reader.mapping(value, f"`actors` of {label}")
    if node is None:
        return
    fields = Fields(node, reader, label=f"`actors` of {label}")
    group = fields.required("group", where=node.where)
    fields.close()
    name = None if group is None else reader.text(group, f"`group` of {label}")
    if name is None or name.text in bundle.groups:
        return
    remedy = meant(
        reader.bag,
        name.where.file,
        name.text,
        sorted(bundle.groups),
        otherwise="Declare it under `groups`.",
    )
    reader.fault(f"the group `{name.text}` is not declared", name.where, remedy=remedy)


def _actions(value: Node, bundle: _Bundle, reader: Reader, *, label: str) -> tuple[ScalarNode, ...]:
    actions = reader.texts(value, f"`actions` of {label}")
    if actions == ():
        reader.fault(f"{label} allows no action", value.where, remedy="List at least one.")
    seen: set[str] = set()
    known: list[ScalarNode] = []
    for action in actions or ():
        if action.text in seen:
            reader.fault(f"{label} lists `{action.text}` twice", action.where)
        seen.add(action.text)
        if _fits_binding(action, bundle, reader):
            known.append(action)
    if bundle.cluster_bound is None:
        _one_kind(known, reader, label=label)
    return tuple(known)


def _one_kind(actions: list[ScalarNode], reader: Reader, *, label: str) -> None:
    """Refuses a rule of both kinds, where it is not known what the policy applies to."""
    kinds = {action.text in CLUSTER_ACTIONS for action in actions}
    if len(kinds) < 2:
        return
    first = actions[0].text in CLUSTER_ACTIONS
    other = next(a for a in actions if (a.text in CLUSTER_ACTIONS) != first)
    remedy = "Split the rule: one policy for `cluster`, another for the graphs."
    reader.fault(f"{label} has actions on graphs and on the cluster", other.where, remedy=remedy)


def _fits_binding(action: ScalarNode, bundle: _Bundle, reader: Reader) -> bool:
    if action.text not in EVERY_ACTION:
        listed = f"The actions are {', '.join(_SORTED_ACTIONS)}."
        remedy = meant(
            reader.bag, action.where.file, action.text, _SORTED_ACTIONS, otherwise=listed
        )
        reader.fault(f"there is no action `{action.text}`", action.where, remedy=remedy)
        return False
    if action.text in OWN_GRAPH_ACTIONS | OWN_CLUSTER_ACTIONS:
        message = f"the action `{action.text}`, which 0.10 does not have and refuses"
        bundle.added("policy-action", message, action.where)
    if bundle.cluster_bound is True and action.text not in CLUSTER_ACTIONS:
        remedy = "Put the rule into a policy that applies to graphs."
        reader.fault(
            f"`{action.text}` is an action on graphs, and the policy applies to the cluster",
            action.where,
            remedy=remedy,
        )
    if bundle.cluster_bound is False and action.text not in GRAPH_ACTIONS:
        remedy = "Put the rule into a policy that applies to `cluster`."
        reader.fault(
            f"`{action.text}` is an action on the cluster, and the policy applies to graphs",
            action.where,
            remedy=remedy,
        )
    return True


def _scope(
    entry: MapEntry | None,
    actions: tuple[ScalarNode, ...],
    scoped: frozenset[str],
    reader: Reader,
) -> None:
    if entry is None or is_null(entry.value):
        return
    name = entry.key.text
    text = reader.text(entry.value, f"`{name}`")
    if text is not None and text.text not in SCOPES:
        reader.fault(
            f"`{name}` is `{text.text}`", text.where, remedy=f"It takes {', '.join(SCOPES)}."
        )
    for action in actions:
        if action.text not in scoped:
            remedy = f"`{name}` goes with {', '.join(sorted(scoped))}; split the rule."
            reader.fault(f"`{action.text}` takes no `{name}`", action.where, remedy=remedy)

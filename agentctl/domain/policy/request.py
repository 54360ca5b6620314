"""The vocabulary of decisions: actions, the kinds of resources they are about, and how a call is put.

The table is the one list of Cedar actions; the schema is printed from it, so that an operation
whose action is missing here can never be allowed. Source: access-and-faces 3.2.
"""

from collections.abc import Mapping
from typing import Final

from agentctl.domain.policy.caller import Caller
from agentctl.domain.policy.cedar import Entity, EntityUid, Question

CLUSTER_UID: Final = EntityUid(type="Cluster", id="cluster")
"""One decision is about one cluster, so that its id says nothing here."""

PRINCIPALS: Final = {"human": "Human", "agent": "Agent", "service": "Service"}
ANYTHING: Final = ("Cluster", "Graph", "Branch", "Query", "Sandbox", "Draft", "Op", "Approval")
DATA: Final = ("Graph", "Branch")

ACTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    # what may be looked at
    "read": (*ANYTHING, "Pipeline", "Lane"),
    "cluster_status": ("Cluster",),
    "cluster_validate": ("Cluster", "Draft", "Sandbox"),
    "config_read": ("Cluster", "Draft", "Sandbox"),
    "schema_read": ("Cluster", "Graph"),
    "draft_read": ("Cluster", "Draft"),
    "ops_read": ("Cluster", "Op"),
    "audit_read": ("Cluster",),
    "audit_anchor": ("Cluster",),
    "approval_read": ("Cluster", "Graph", "Approval"),
    "principal_read": ("Cluster",),
    "explain": ("Cluster",),
    "graph_list": ("Cluster",),
    "list_query": ("Cluster", "Graph", "Query"),
    "invoke_query": ("Graph", "Query"),
    "export": ("Cluster", *DATA),
    "cluster_plan": ("Cluster", "Draft", "Sandbox"),
    # data and branches of a graph
    "change": DATA,
    "schema_apply": DATA,
    "embed": DATA,
    "branch_create": DATA,
    "branch_delete": DATA,
    "branch_merge": DATA,
    "graph_restore": ("Graph",),
    "graph_purge": ("Graph",),
    "graph_purge_now": ("Graph",),
    # the cluster
    "cluster_apply": ("Cluster", "Draft", "Sandbox"),
    "cluster_refresh": ("Cluster",),
    "cluster_import": ("Cluster",),
    "cluster_force_unlock": ("Cluster", *DATA),
    "cluster_backup": ("Cluster",),
    "cluster_freeze": ("Cluster", *DATA),
    "op_rollback": ("Cluster", "Op"),
    "op_archive": ("Cluster",),
    "op_archive_prune": ("Cluster",),
    "admin": ("Cluster", *DATA),
    # where work is tried
    "draft_edit": ("Cluster", "Draft", "Sandbox"),
    "sandbox_create": ("Cluster",),
    "sandbox_use": ("Sandbox",),
    "sandbox_publish": ("Sandbox",),
    "pipeline_run": ("Pipeline",),
    "rollout_open": ("Cluster", "Lane"),
    # consent: asking and handing in a signed decision are no consent, the rest is
    "approval_request": ("Cluster", "Graph", "Query", "Approval"),
    "approval_submit": ("Cluster", "Approval"),
    "approval_decide": ("Cluster", "Approval"),
    "cluster_thaw": ("Cluster", *DATA),
    "principal_delegate": ("Cluster",),
    "principal_add_human": ("Cluster",),
    "principal_revoke": ("Cluster",),
    "principal_add": ("Cluster",),
    "principal_recover": ("Cluster",),
    # tokens
    "token_create": ("Cluster",),
    "token_read": ("Cluster",),
    "token_revoke": ("Cluster",),
}
"""Every action, and the entity types it may be about."""

_PREFIXED: Final = {
    "draft": "Draft",
    "sandbox": "Sandbox",
    "op": "Op",
    "approval": "Approval",
    "pipeline": "Pipeline",
    "lane": "Lane",
}


_OF_CLUSTER: Final = frozenset(
    {
        "cluster", "policy", "provider", "pipeline", "embedding", "ui", "alias", "binding",
        "approval", "ops", "remote",
    }
)  # fmt: skip
"""First parts of addresses that are decided over as the cluster."""


def entity_of(resource: str) -> tuple[Entity, ...] | None:
    """Returns the entity that *resource* names, its ancestors after it; None where it names none.

    Schemas are decided over as their graph, and what belongs to no graph as the cluster. A name that
    no resource can have is an entity like any other: whether it exists is not for a policy to say.
    """
    cluster = Entity(uid=CLUSTER_UID)
    prefix, colon, rest = resource.partition(":")
    if colon and prefix in _PREFIXED:
        uid = EntityUid(type=_PREFIXED[prefix], id=rest)
        return (Entity(uid=uid, parents=(CLUSTER_UID,)), cluster)
    kind, _, name = resource.partition(".")
    match kind:
        case _ if kind in _OF_CLUSTER:
            return (cluster,)
        case "graph" | "schema":
            graph_id, at, _ = name.partition("@")
            graph = _graph(graph_id)
            if not at:
                return (graph, cluster)
            uid = EntityUid(type="Branch", id=name)
            return (Entity(uid=uid, parents=(graph.uid,)), graph, cluster)
        case "query":
            graph = _graph(name.partition(".")[0])
            uid = EntityUid(type="Query", id=name)
            return (Entity(uid=uid, parents=(graph.uid,)), graph, cluster)
        case _:
            return None


def question_of(
    caller: Caller, action: str, resource: str, context: Mapping[str, object]
) -> Question | None:
    """Returns the request that Cedar is asked; None where *resource* names nothing.

    The facts about the caller come from *caller* alone: a context that names them is overruled.
    """
    about = entity_of(resource)
    if about is None:
        return None
    groups = tuple(EntityUid(type="Group", id=g) for g in sorted(set(caller.groups)))
    who = EntityUid(type=PRINCIPALS[caller.kind], id=caller.id)
    return Question(
        principal=who,
        action=action,
        resource=about[0].uid,
        context=_context(caller, context),
        entities=(
            Entity(uid=who, attributes={"enrolled": caller.enrolled}, parents=groups),
            *(Entity(uid=g) for g in groups),
            *about,
        ),
    )


def schema_text() -> str:
    """Returns the Cedar schema of namespace `AgentCtl`; ``agentctl policy schema`` prints it."""
    actions = "\n".join(
        f'  action "{name}" appliesTo {{ principal: [Human, Agent, Service], '
        f"resource: [{', '.join(resources)}], context: Context }};"
        for name, resources in ACTIONS.items()
    )
    return f"namespace AgentCtl {{\n{_ENTITIES}\n{actions}\n}}\n"


def _graph(graph_id: str) -> Entity:
    return Entity(uid=EntityUid(type="Graph", id=graph_id), parents=(CLUSTER_UID,))


def _context(caller: Caller, given: Mapping[str, object]) -> dict[str, object]:
    context: dict[str, object] = {
        "branch_is_protected": False,
        "target_branch_is_protected": False,
        "classes": [],
        "sandbox": False,
        **{name: value for name, value in given.items() if value is not None},
        "via": caller.via,
    }
    context["classes"] = sorted(_texts(context["classes"]))
    context.pop("on_behalf_of", None)
    if caller.on_behalf_of is not None:
        context["on_behalf_of"] = caller.on_behalf_of
    return context


def _texts(value: object) -> list[str]:
    if not isinstance(value, list | tuple | set | frozenset):
        return [str(value)]
    return [str(v) for v in value]


_ENTITIES: Final = """\
  entity Group;
  entity Human in [Group] { enrolled: Bool };
  entity Agent in [Group] { enrolled: Bool };
  entity Service in [Group] { enrolled: Bool };
  entity Cluster;
  entity Graph in [Cluster];
  entity Branch in [Graph];
  entity Query in [Graph];
  entity Sandbox in [Cluster];
  entity Draft in [Cluster];
  entity Op in [Cluster];
  entity Approval in [Cluster];
  entity Pipeline in [Cluster];
  entity Lane in [Cluster];
  type Context = {
    branch?: String,
    target_branch?: String,
    branch_is_protected: Bool,
    target_branch_is_protected: Bool,
    classes: Set<String>,
    plan_digest?: String,
    on_behalf_of?: String,
    via: String,
    sandbox: Bool,
  };"""

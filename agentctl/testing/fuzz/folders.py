"""Random cluster.yaml and policy files, in YAML's flow style, after control-plane 1.1 and 3.1.

Policies in Cedar too, as far as their validator is to be tried.
"""

from random import Random
from typing import Final

from agentctl.testing.fuzz.grammar import Grammar, derive, grammar_of

CLUSTER: Final = grammar_of("""
    file := '{' version section* '}'
    version := 'version:' VERSION ','
    section := metadata | storage | state | graphs | graphs | policies | providers | embeddings | pipelines | ui | aliases | bindings | approvals | ops | publication | listed | moved | apply | env
    metadata := 'metadata:' '{' 'name:' TEXT '}' ','
    storage := 'storage:' STORAGE ','
    state := 'state:' '{' 'backend:' ID ',' 'lock:' BOOL '}' ','
    env := 'env_file:' PATH ','
    apply := 'apply:' '{' 'concurrency:' NUMBER ',' 'groups:' '{' ID ':' addresses '}' '}' ','
    graphs := 'graphs:' '{' graph* '}' ','
    graph := ID ':' '{' 'schema:' PATH ',' graphfield* '}' ','
    graphfield := 'queries:' queries ',' | 'embedding_provider:' REFERENCE ',' | 'external_blobs:' '{' 'allow:' '[' blob* ']' '}' ','
    queries := PATH | '[' PATH ',' PATH ']' | '{' ID ':' '{' 'file:' PATH '}' '}'
    blob := '{' 'base:' URI ',' 'scope:' SCOPE '}' ','
    policies := 'policies:' '{' policy* '}' ','
    policy := ID ':' '{' 'file:' PATH ',' 'applies_to:' addresses '}' ','
    addresses := '[' REFERENCE ',' REFERENCE ']' | '[' REFERENCE ']' | '[' ']'
    providers := 'providers:' '{' provider* '}' ','
    provider := 'embedding:' '{' ID ':' fields '}' ',' | 'source:' '{' ID ':' fields '}' ',' | 'storage:' '{' ID ':' fields '}' ','
    fields := '{' field* '}'
    field := 'kind:' KIND ',' | 'provider:' KIND ',' | 'base_url:' URI ',' | 'model:' TEXT ',' | 'api_key:' SECRET ',' | 'credentials:' SECRET ',' | 'options:' '{' ID ':' TEXT '}' ',' | 'uri:' URI ',' | 'endpoint:' URI ',' | 'region:' TEXT ','
    embeddings := 'embeddings:' '{' ID ':' '{' 'provider:' REFERENCE ',' 'model:' TEXT ',' 'graph:' ID ',' 'property:' PROPERTY '}' '}' ','
    pipelines := 'pipelines:' '{' ID ':' '{' 'source:' REFERENCE ',' pipefield* '}' '}' ','
    pipefield := 'transform:' '{' 'sql:' PATH '}' ',' | 'targets:' '[' target* ']' ',' | 'schedule:' CRON ',' | 'branch:' ID ','
    target := '{' 'graph:' ID ',' 'type:' TYPE ',' 'mode:' MODE ',' 'map:' '{' ID ':' ID '}' '}' ','
    ui := 'ui:' '{' 'dashboards:' '{' ID ':' '{' 'file:' PATH ',' 'queries:' addresses '}' '}' '}' ','
    aliases := 'aliases:' '{' ID ':' '{' 'query:' REFERENCE ',' 'params:' '{' ID ':' TEXT '}' '}' '}' ','
    bindings := 'bindings:' '[' binding* ']' ','
    binding := '{' 'query:' REFERENCE ',' 'surface:' SURFACE ',' 'name:' ID '}' ','
    approvals := 'approvals:' '{' ID ':' '{' approval* '}' '}' ','
    approval := 'match:' '{' 'classes:' '[' CLASS ']' ',' 'resources:' addresses '}' ',' | 'need:' '{' 'count:' NUMBER '}' ',' | 'separate:' BOOL ',' | 'assurance:' ASSURANCE ',' | 'expires:' DURATION ','
    ops := 'ops:' '{' 'retention:' '{' 'detached:' DURATION '}' '}' ','
    publication := 'publication:' '{' 'remotes:' '{' ID ':' '{' 'url:' URI ',' 'branch_base:' ID ',' forge? '}' '}' '}' ','
    forge := 'forge:' '{' 'kind:' KIND ',' 'api:' URI ',' 'repo:' TEXT ',' 'token:' SECRET '}' ','
    listed := 'protect:' addresses ',' | 'forget:' addresses ','
    moved := 'moved:' '[' '{' 'from:' REFERENCE ',' 'to:' REFERENCE '}' ']' ','
""")

POLICY: Final = grammar_of("""
    file := '{' 'version:' VERSION ',' section* '}'
    section := groups | branches | rules | rules | 'kind:' ID ','
    groups := 'groups:' '{' group* '}' ','
    group := ID ':' '[' ID ',' ID ']' ','
    branches := 'protected_branches:' '[' ID ']' ','
    rules := 'rules:' '[' rule* ']' ','
    rule := '{' 'id:' ID ',' 'allow:' '{' 'actors:' '{' 'group:' ID '}' ',' 'actions:' '[' ACTION ',' ACTION ']' scope? '}' '}' ','
    scope := ',' 'branch_scope:' BRANCHES | ',' 'target_branch_scope:' BRANCHES
""")

CEDAR: Final = grammar_of("""
    file := policy policy*
    policy := id? effect '(' principal ',' action ',' resource ')' when* ';'
    id := '@id(' CTEXT ')'
    effect := 'permit' | 'forbid'
    principal := 'principal' | 'principal is' CTYPE | 'principal ==' CTYPE '::' CTEXT | 'principal in' CTYPE '::' CTEXT | 'principal == ?principal'
    action := 'action' | 'action == AgentCtl::Action::' CACTION | 'action in [ AgentCtl::Action::' CACTION ']'
    resource := 'resource' | 'resource is' CTYPE | 'resource in' CTYPE '::' CTEXT
    when := 'when {' cond '}' | 'unless {' cond '}'
    cond := test | cond '&&' cond | cond '||' cond | '!' cond | '(' cond ')' | 'if' cond 'then' cond 'else' cond
    test := value CMP value | value 'has' CNAME | value 'like' CTEXT | value 'in' value | 'true' | value '.contains(' value ')'
    value := 'context.' CNAME | 'principal.' CNAME | 'principal' | 'resource' | CTEXT | CNUMBER | '[' value ',' value ']' | '{' CNAME ':' value '}' | value '+' value
""")

VALUES: Final[dict[str, tuple[str, ...]]] = {
    "VERSION": ("1", "1", "1", "2", '"1"'),
    "ID": ("g", "h", "e", "p", "q", "ops", "all", "main", "cluster", "server", "1x", "a b"),
    "TEXT": ("x", '""', "null", "7", "true", '"é\\n"', "[a]"),
    "STORAGE": ("s3://b/p/", "file:///tmp/x", "./x/", "s3://", "http://x", '""'),
    "BOOL": ("true", "false", "yes", "1"),
    "PATH": ("a.pg", "q.gq", "queries", "p.yaml", "../a.pg", "/etc/x", ".env", "__cluster/x", "d.json", '""'),
    "REFERENCE": ("g", "graph.g", "cluster", "query.g.q", "policy.p", "schema.g", "provider.embedding.e", "e", "provider.source.s", "ui.d", "x.y.z", "[]"),
    "NUMBER": ("0", "1", "4", "16", "17", "-1", "1.5", "x"),
    "URI": ("s3://b/p", "file:///tmp", "https://h.example/v1", "x", "s3://b/p/q"),
    "SCOPE": ("server_safe", "embedded_only", "x"),
    "KIND": ("openai", "openai-compatible", "gemini", "mock", "file", "http", "s3", "postgres", "github", "python-env", "x"),
    "SECRET": ("${KEY}", "sk-123456", '"${}"', "${a b}"),
    "PROPERTY": ("A.k", "Doc.vec", "A", "A.b.c"),
    "CRON": ('"* * * * *"', '"0 3 * * 1-5"', '"61 * * * *"', "x"),
    "TYPE": ("A", "Doc", "E", "a"),
    "MODE": ("append", "merge", "overwrite", "x"),
    "SURFACE": ("mcp", "http", "ui.d", "x"),
    "CLASS": ("irreversible", "authority", "narrowing", "reversible", "x"),
    "ASSURANCE": ("demo", "file", "agent", "touch", "x"),
    "DURATION": ("24h", "7d", "0", "x", "-1h"),
    "ACTION": ("read", "export", "change", "schema_apply", "branch_merge", "admin", "invoke_query", "graph_list", "x"),
    "CTYPE": ("AgentCtl::Agent", "AgentCtl::Human", "AgentCtl::Group", "AgentCtl::Graph", "AgentCtl::Robot", "Agent"),
    "CTEXT": ('"plan"', '"a"', '"mcp"', '"*x*"', '"\\\\n é"', '""'),
    "CACTION": ('"read"', '"change"', '"schema_apply"', '"cluster_plan"', '"raed"'),
    "CNAME": ("via", "branch", "classes", "sandbox", "enrolled", "mood"),
    "CNUMBER": ("0", "1", "-1", "9223372036854775807", "9223372036854775808"),
    "CMP": ("==", "!=", "<", "<=", ">", ">="),
    "BRANCHES": ("any", "protected", "unprotected", "x"),
}  # fmt: skip


def folder_text(grammar: Grammar, random: Random) -> bytes:
    """Returns a random file of one of the grammars above."""
    return derive(grammar, "file", random, terminals=VALUES, spaces=(" ", "\n "), depth=10).encode()

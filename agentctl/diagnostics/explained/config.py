"""Paragraphs for the codes of the folder and the two languages. A code, then what happened, why it matters, what to do."""

from typing import Final

EXPLAINED: Final[dict[str, str]] = {
    "config_dir_not_found": (
        "The folder that `--config` names (without it, the folder you are in) is not there, or a "
        "file stands in its place. Nothing was read and nothing was changed. Name the folder "
        "that holds `cluster.yaml`, or make one:\n\n"
        "    agentctl init supply"
    ),
    "cluster_config_read_error": (
        "A cluster is a folder with a file `cluster.yaml`; here it is missing, is no regular "
        "file, is too large, or may not be read by this user. Where a folder above holds one, "
        "the remedy names it. `agentctl init` writes a small one that validates."
    ),
    "duplicate_yaml_key": (
        "YAML parsers let the last of two equal keys win, so the first would be lost without a "
        "word: a graph, a policy, a whole section. Both places are shown. Rename one of them, or "
        "merge what they hold.\n\n"
        "    graphs:\n"
        "      supply: {schema: supply.pg}\n"
        "      supply: {schema: other.pg}   # refused"
    ),
    "future_phase_field": (
        "The field is known and belongs to a part that this release does not have, so that what "
        "it says would be ignored. It is refused rather than silently dropped. Take it out until "
        "a release supports it."
    ),
    "removed_streaming_declaration": (
        "OmniGraph once had a `streaming` section in a graph and removed it; agentctl never had "
        "it. Nothing reads it any more, so it is refused where it still stands. Take it out; "
        "loading is done by `agentctl load`."
    ),
    "invalid_cluster_yaml": (
        "`cluster.yaml` is no YAML, or it has a field that does not exist, or a value of another "
        "type than the field takes. Unknown fields are refused everywhere, because a misspelt "
        "one would otherwise be ignored. The place shows the value, the remedy the nearest "
        "field. An editor can complete and check the file with the schema that `agentctl "
        "json-schema cluster.yaml` prints."
    ),
    "unsupported_cluster_config_version": (
        "`version` says which form the file has, and 1 is the only one. A file without it, or "
        "with another number, could mean something else than this release reads. Write `version: "
        "1` as the first line."
    ),
    "empty_metadata_name": (
        "`metadata.name` is there and blank. A name is optional; a blank one would show as "
        "nothing in every list and record. Name the cluster, or take the field out."
    ),
    "unsupported_state_backend": (
        "`state.backend` may be absent or `cluster`: the ledger always stands in the storage "
        "root, beside what it records. There is no other place for it. Take the field out."
    ),
    "invalid_storage_root": (
        "`storage` says where the ledger and the graphs are: a path relative to the folder, or a "
        "URI with a scheme and, for `s3://`, a bucket. This one is blank, has a scheme that "
        "nobody knows, or names no bucket. Without a sound root no ledger is opened.\n\n"
        "    storage: s3://my-bucket/supply"
    ),
    "invalid_resource_id": (
        "Ids become parts of addresses (`graph.supply`, `query.supply.impact`), of paths and of "
        "object keys, so that only letters, digits, `_` and `-` are allowed, and the first is a "
        "letter or `_`. Dots and slashes would make one address mean two things. Choose a plain "
        "id."
    ),
    "wrong_kind_reference": (
        "The field takes the address of one kind of resource and got another, e.g. a policy that "
        "applies to `schema.supply`. A reference is always typed, `<kind>.<id>`, so that "
        "renaming one kind never silently redirects another. Write an address of the kind that "
        "the message names."
    ),
    "schema_file_missing": (
        "A graph names a `.pg` file that is not in the folder. Without its schema the graph "
        "cannot be planned and its queries cannot be checked. Paths are relative to the folder "
        "of `cluster.yaml`. Correct the path or put the file there."
    ),
    "schema_parse_error": (
        "The text of the schema breaks the grammar of `.pg`, so what it declares is not known. "
        "The rule (`PG…`) says which part of the grammar, the place is exact to the character, "
        "and declarations after the mistake are still read, so that one run shows all mistakes. "
        "`agentctl explain PG012` explains a rule."
    ),
    "schema_catalog_error": (
        "Each declaration reads well, but they contradict each other or the rules of types: an "
        "edge to a type that is not declared, two types of one name, a nullable key. The rule "
        "says which law is broken; related places show the other declaration. No graph is "
        "planned from such a schema."
    ),
    "query_dir_unreadable": (
        "`queries` names a folder, and it cannot be listed. The queries that it may hold would "
        "be missing from the catalog without a word, so this is an error. Check its rights, or "
        "name another folder."
    ),
    "query_dir_empty": (
        "The queries folder is there and holds no file that ends in `.gq`. The graph is valid "
        "and simply has no stored queries. Put a file there, or leave `queries` out to say so."
    ),
    "query_file_missing": (
        "A query file that `queries` names is not in the folder. What it should declare would "
        "vanish from the catalog on the next apply, so it is an error. Correct the path or put "
        "the file there."
    ),
    "query_parse_error": (
        "The text of a query file breaks the grammar of `.gq`. The rule (`GQ…`) says which part, "
        "the place is exact to the character, and the queries after the mistake are still read "
        "and checked. `agentctl explain GQ012` explains a rule."
    ),
    "duplicate_query_name": (
        "Two declarations of one graph have one name, in one file or in two. A query is called "
        "by graph and name, so one of them could never be reached. The related place shows the "
        "other one; rename either."
    ),
    "query_key_mismatch": (
        "In its map form `queries` says which query is in which file, and this file does not "
        "declare a query of that name. The name in `cluster.yaml` is the one that policy and "
        "bindings speak of, so that the two must agree. Correct the key, or the name behind "
        "`query`."
    ),
    "query_typecheck_error": (
        "The query reads well and does not fit the schema of its graph: a type, an edge or a "
        "property that does not exist, values of types that do not go together, hop bounds that "
        "make no sense. The rule (`T1` to `T24` as OmniGraph numbers them, ours from `T25`, with "
        "a suffix word where one number has several meanings) says which law. It would fail or "
        "mislead at run time; here it costs nothing. `agentctl explain T5` explains a rule."
    ),
    "query_lint": (
        "The query would run, and something about it hardly does what its author wants: a parameter "
        "that nothing uses, a match that multiplies rows, a property that no update ever sets. It "
        "is a remark, so validation does not fail over it. The rule (`L…`) says which remark; "
        "`agentctl explain L201` explains one. Mend it, or leave it where it is meant."
    ),
    "omnigraph_refuses": (
        "The construct is one of agentctl's additions: right here, and unknown to OmniGraph 0.10, "
        "whose binary would refuse the file. It is an error only where compatibility was asked "
        "for, with `agentctl validate --compat omnigraph-0.10`. The remedy says how to write it so "
        "that both take it, where that can be."
    ),
    "omnigraph_reads_otherwise": (
        "Both programs take the text, and it does not mean the same: OmniGraph 0.10 widens a result "
        "silently, reads a bound the other way round, or names a column differently. Whoever moves "
        "a folder from it should look at each such place. The message says what it is here and "
        "what it is there."
    ),
    "query_typecheck_skipped": (
        "The schema of the graph has errors, so its queries were parsed but not checked against "
        "it. Mend the schema first; the next run checks them, and may then find more."
    ),
    "not_supported_yet": (
        "The text is right in the full language, and the engine of this release cannot hold or "
        "run that part. It is refused by name before any data is read or changed, rather than "
        "ignored. Write it another way, or wait for a release that has it; a stored query of "
        "this kind stays in the catalog and is listed with its reason."
    ),
    "policy_missing_applies_to": (
        "A policy bundle is bound by `applies_to`: to `cluster`, or to graphs. An empty list "
        "binds it to nothing, so its rules would never decide anything while looking as if they "
        "did. Name what it governs.\n\n"
        "    policies:\n"
        "      readers: {file: readers.yaml, applies_to: [graph.supply]}"
    ),
    "dangling_graph_reference": (
        "The reference names a graph that `cluster.yaml` does not declare, so what it was meant "
        "to govern or use is not there. Correct the id (the nearest one is suggested), or "
        "declare the graph."
    ),
    "policy_mixed_binding_kinds": (
        "One bundle applies to `cluster` and to graphs at once. The rules of the two speak of "
        "different actions, and a bundle is checked against one kind. Split it into two files "
        "and bind each to its own."
    ),
    "duplicate_policy_binding": (
        "Two bundles are bound to one scope. Which of them decides would depend on their order, "
        "so there is exactly one for each graph and one for the cluster. Merge them, or bind one "
        "to other graphs."
    ),
    "policy_file_missing": (
        "A policy names a file that is not in the folder. A cluster whose policy cannot be read "
        "must not fall back to a weaker one, so this is an error. Correct the path or put the "
        "file there."
    ),
    "policy_invalid": (
        "The policy file has a field that does not exist, a value of a wrong type, or a rule "
        "that does not fit what the bundle is bound to. Nothing of a policy is skipped: a "
        "misspelt condition would permit more than was meant. The message names the rule and the "
        "field."
    ),
    "policy_kind_deprecated": (
        "`kind` in a policy file once said what the policy is for; `applies_to` in "
        "`cluster.yaml` says so now, and is the only one that counts. Take the field out of the "
        "file."
    ),
    "path_outside_folder": (
        "A path leads, after every symbolic link, out of the cluster's folder. Only the operator "
        "at a terminal may read such a file: an agent that could name any path would read any "
        "file of the machine through a diagnostic or a draft. Put the file itself into the "
        "folder."
    ),
    "path_not_config": (
        "The path is inside the folder but is no configuration: a hidden file, the ledger's own "
        "`__cluster/`, data under `graphs/`, an `.env` file, or a file that `cluster.yaml` does "
        "not name. These are never edited through a draft and never shown. Name `cluster.yaml` "
        "or a file that it names."
    ),
    "graph_id_not_servable_by_omnigraph": (
        "OmniGraph 0.10 keeps some names for its own routes and refuses ids with `_` or of more "
        "than 64 characters when it serves. agentctl has no such limit. The warning matters only "
        "where the same folder is also served by OmniGraph; then choose another id before there "
        "is data."
    ),
}

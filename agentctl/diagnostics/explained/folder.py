"""Paragraphs of the codes about the resources of cluster.yaml beyond graphs and policies."""

from typing import Final

EXPLAINED: Final[dict[str, str]] = {
    "invalid_embedding_provider": (
        "An embedding provider has a kind that does not exist, a blank model, or a `base_url` that "
        "is no http or https address. The address matters twice: requests go there, and so does the "
        "key. Correct the field; leaving `base_url` and `model` out takes the kind's own.\n\n"
        "    providers:\n"
        "      embedding:\n"
        "        main: {kind: openai, api_key: '${OPENAI_API_KEY}'}"
    ),
    "embedding_api_key_inline": (
        "`api_key` of an embedding provider holds a literal. cluster.yaml is committed and shown, "
        "so a key in it is a key given away; the message does not repeat it. Write a reference "
        "`${NAME}`, put the value into the environment or the `env_file`, and give out a new key "
        "if this one was ever committed."
    ),
    "embedding_api_key_required": (
        "Every kind of embedding provider but `mock` asks a service that wants a key, so without "
        "`api_key` each request would fail. Add `api_key: ${NAME}`; the value comes from the "
        "environment of the process, never from cluster.yaml."
    ),
    "dangling_embedding_provider_reference": (
        "A graph or an embedding names an embedding provider that `providers.embedding` does not "
        "declare. Nothing would make its vectors. Correct the name (the nearest one is suggested), "
        "or declare the provider."
    ),
    "invalid_external_blob_base": (
        "A place under `external_blobs.allow` is none that blobs may lie under: it is no `s3://` "
        "or `file://` URI, its folder is not there, or a folder of one machine is called "
        "`server_safe`, though a server elsewhere could not read it. Correct the URI or the scope."
    ),
    "invalid_external_blob_policy": (
        "Two places under `external_blobs.allow` are the same, or one lies under the other, so "
        "that the two scopes would say two things about one place. Keep the wider one, or make "
        "them disjoint."
    ),
    "external_blob_ingress_default_deny": (
        "The graph allows no place for external blobs, which is the default: a load may bring "
        "blobs inline, and a reference to one elsewhere is refused. Only `validate` tells it. Name "
        "places under `external_blobs.allow` if blobs are to lie outside of the graph; that is a "
        "change of authority."
    ),
    "secret_inline": (
        "A field that takes a reference to a secret holds a literal, or a text field holds what "
        "has the form of a key, a token or a URL with a password. cluster.yaml is committed and "
        "shown, so the value is out; the message does not repeat it. Write `${NAME}`, put the "
        "value into the environment or the `env_file`, and give out a new secret."
    ),
    "env_file_tracked": (
        "`env_file` names a file that git tracks. Its values are secrets, and everybody who has "
        "the repository has them, in its history too. Take it out of git (the remedy is the "
        "command), add it to `.gitignore`, and give out new secrets."
    ),
    "gitignore_written": (
        "`agentctl init` and `agentctl import` add to the folder's `.gitignore` what agentctl keeps "
        "there (the local storage root, drafts, secrets in `.env*`), each line only where no "
        "`.gitignore` names it already. Lines that were there stay. Commit the file."
    ),
    "gitignore_not_written": (
        "The folder's `.gitignore` could not be read or written, or it is a link that leaves the "
        "folder. Nothing else is affected. Without the lines that the remedy names, git may take "
        "up graphs, ledger and secrets."
    ),
    "resource_file_missing": (
        "A resource names a file that is not in the folder: the SQL of a pipeline, or the "
        "description of a dashboard. It is part of the resource's digest, so nothing can be "
        "planned without it. Write the file, or correct the path; paths are relative to the folder."
    ),
    "dangling_reference": (
        "A reference names a resource that `cluster.yaml` does not declare. References are "
        "resolved before anything is applied, so that nothing is found missing half way. Correct "
        "the name (the nearest one is suggested), declare the resource, or take the reference out."
    ),
    "reference_being_removed": (
        "A resource that is applied is no longer declared, so the plan would remove it, and "
        "something that stays declared still refers to it. Both sides are named. Nothing is "
        "planned until they agree: take the reference out as well, declare the resource again, or "
        "say under `moved` which name it has now."
    ),
    "ambiguous_reference": (
        "A bare name does not say which resource is meant: several have it, or the field takes "
        "more than one kind. Guessing would redirect the reference as soon as another resource of "
        "that name is declared. Write one of the typed addresses that the remedy lists."
    ),
    "duplicate_reference": (
        "The same resource is listed twice where once is meant: in a list of references, in two "
        "apply groups, or as two bindings of one query on one surface. Keep one of them."
    ),
    "reference_not_declared": (
        "`protect` or an approval rule names a resource that is not declared. That is right while "
        "its deletion is still to be applied, and otherwise a mistyped name, which protects "
        "nothing. Correct the name, or take it out once the deletion was applied."
    ),
    "invalid_source_provider": (
        "A source provider's fields do not go with its kind: `http` and `postgres` need a "
        "`base_url` of their scheme, `file` and `python-env` have neither `base_url` nor "
        "`credentials`, and a user or password never stands in the URL. Correct the field that the "
        "message names."
    ),
    "invalid_storage_provider": (
        "A storage provider's `uri` does not go with its kind: `s3` takes `s3://bucket/prefix`, "
        "`file` takes `file:///folder` and has neither `endpoint` nor `region`. Correct the field "
        "that the message names."
    ),
    "invalid_remote": (
        "A remote of `publication` is reached by git over a file path or SSH, and its forge by "
        "https (or http on this machine). Anything else is refused, and so is a user or password in "
        "an address: ssh takes its key, the forge a `token` that is a reference. Correct the field "
        "that the message names.\n\n"
        "    publication: {remotes: {origin: {url: 'git@host:owner/name.git'}}}"
    ),
    "invalid_pipeline": (
        "A pipeline does not fit the graph that it writes to: the type or a property of `map` is "
        "not in its schema, or `merge` is asked of a node type without a `@key`. Each run would "
        "fail, so it is refused now. Correct the name (the nearest one is suggested), or the "
        "schema."
    ),
    "invalid_schedule": (
        "`schedule` is no schedule, or one that is never due, such as the 30th of February. Write "
        "the five fields of cron (minute, hour, day of the month, month, day of the week; UTC), or "
        "a word such as `@daily`.\n\n"
        "    schedule: 0 3 * * mon-fri"
    ),
    "invalid_embedding": (
        "An embedding does not fit the graph: the type or the property is not in its schema, the "
        "property is no vector, or its `@embed` names another model. Vectors of two models have no "
        "distance that means anything. Correct the property or the model."
    ),
    "invalid_alias": (
        "An alias gives a parameter that its query does not declare, or a value that does not fit "
        "the parameter's type. Each call would fail, so it is refused now. Correct the name or the "
        "value; what the alias leaves out is given by the caller."
    ),
    "invalid_moved": (
        "An entry of `moved` cannot hold: the two addresses are of different kinds, what is moved "
        "is still declared, or what it is moved to is not. A move gives a graph, query or policy "
        "another address and leaves its data alone; rename the declaration, then name both "
        "addresses here."
    ),
    "invalid_forget": (
        "An entry of `forget` is still declared, or is moved as well. To forget a resource is to "
        "take it out of the ledger and leave its data; an apply could not do both. Take out the "
        "declaration, or the entry."
    ),
}

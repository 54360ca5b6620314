"""Paragraphs for the codes of graphs: loading, reading, the way back. A code, then what happened, why it matters, what to do."""

from typing import Final

EXPLAINED: Final[dict[str, str]] = {
    "foreign_graph_format": (
        "The root of the graph was written by another program, or by a newer agentctl with "
        "another layout. Reading it wrongly would be bad and writing to it worse, so it is left "
        "alone. Use the program that wrote it, or another graph id."
    ),
    "graph_root_missing": (
        "There is nothing where the graph should be. It was never created, has been removed, or "
        "the storage root is another than you think. `agentctl status` compares with the ledger."
    ),
    "merge_conflict": (
        "A merge takes, entity by entity and property by property, what one branch changed since "
        "the two parted. Where both changed the same property, inserted the same node, or one "
        "deleted what the other changed, nobody but you can say what is meant; and where the "
        "merged rows together would break the schema (an edge without its node, two rows with one "
        "unique value, too many edges, a value that is not permitted), neither branch is wrong "
        "alone. Nothing was written. Each conflict is told with the value at the base, ours and "
        "theirs; change one of the branches, then merge again."
    ),
    "merge_schema_diverged": (
        "A branch keeps the schema that it was cut with until it is migrated, and a merge takes "
        "the schema of the branch that changed it. Here both did, each in its own way. Migrate "
        "one of them to the other's schema, then merge."
    ),
    "feed_gap": (
        "The change feed tells what each commit changed, as long as its data and that of the one "
        "before it are there. A cleanup let go of one of them, or the branch was deleted and cut "
        "anew. Take an export of the newest commit as a new baseline, and follow the feed from "
        "that commit on."
    ),
    "feed_cursor_invalid": (
        "A feed begins at `now`, at the `beginning`, at a commit's id or at a cursor that it gave "
        "earlier, all of the branch that it is asked of. What was given is none of these."
    ),
    "graph_branch_missing": (
        "A read or write named a branch that the graph does not have: it was never created, or "
        "has been deleted. The commits of a deleted branch stay readable by their ids until a "
        "cleanup lets them go.\n\n"
        "    agentctl branch list GRAPH"
    ),
    "graph_branch_exists": (
        "A branch is created once; what is on it would be lost if another took its name. Choose "
        "another name, or delete the branch first."
    ),
    "graph_branch_invalid": (
        "A branch is named by letters, digits, `.`, `-`, `_` and `/`, each part between slashes "
        "beginning and ending with a letter or digit, without `..`, at most 100 characters in "
        "all. `main` is there always: it is neither created nor deleted as a branch. What begins "
        "with `sandbox/` is the branch of a sandbox, and is written in the sandbox alone."
    ),
    "not_in_a_sandbox": (
        "A sandbox has branches of the real graphs, and may do with them whatever a cluster may. "
        "What belongs to the whole of a real graph is not the sandbox's: tags, cleanups, the "
        "removal of data. Do it in the cluster itself, where it is planned and gated; or to a "
        "graph that was created in the sandbox, which is the sandbox's own."
    ),
    "branch_unmerged": (
        "What was written to the branch since it was cut is on no other branch, and goes with the "
        "next cleanup once the branch is deleted. Merge it first, or say that it is meant. Of a "
        "protected graph such a branch is not deleted at all.\n\n"
        "    agentctl branch merge GRAPH BRANCH\n"
        "    agentctl branch delete GRAPH BRANCH --unmerged"
    ),
    "retention_floor": (
        "A cleanup cannot be undone, and somebody may still want to go back to what was there a "
        "few days ago. So commits younger than the floor keep their data whatever is asked. Name "
        "an age above it, or only look at what would go.\n\n"
        "    agentctl graph cleanup GRAPH --older-than 7d\n"
        "    agentctl graph cleanup GRAPH --older-than 1d --dry-run"
    ),
    "graph_point_missing": (
        "A point of a graph's history is the number of a commit, a commit's id as "
        "`<branch>:<n>`, a tag, a branch for its newest commit, or a time in RFC 3339 with its "
        "offset, which stands for the newest commit made by then. What was given is none that this graph has.\n\n"
        "    agentctl query people.adults --at main:12\n"
        "    agentctl query people.adults --at 2026-11-21T12:00:00Z"
    ),
    "graph_tag_exists": (
        "A tag names one commit for good, so that whoever reads by it reads the same rows every "
        "time. Delete the tag first where it should name another."
    ),
    "graph_collected": (
        "A cleanup removed what only this commit named, because nothing kept it: no branch, no "
        "tag, no pin and no retention. Its record is still listed. Tag a commit to keep its data."
    ),
    "graph_corrupt": (
        "An object of the graph is not of its format or does not have its digest. Reads that "
        "need it fail instead of answering wrongly. Restore the object from a backup; earlier "
        "commits that do not need it can still be read."
    ),
    "graph_detached": (
        "The graph was deleted and is kept until its purge: it takes no reads and no writes. "
        "`agentctl graph restore ID` brings it back with its schema and queries until the time "
        "that the message names."
    ),
    "graph_not_detached": (
        "Restoring and purging are for detached graphs, and this one lives. There is nothing to "
        "restore; a deletion goes through `cluster.yaml`, a plan and a decision. A purge that was "
        "under way removed nothing: a restore came first, and the detail names its commit."
    ),
    "graph_purge_not_due": (
        "A detached graph is kept for seven days, so that a mistake can be undone. Purging "
        "earlier is not done by this command. The message names the time."
    ),
    "graph_restore_refused": (
        "The data of the graph has been purged, or a newer graph lives under its id, so that "
        "there is no way back to the old one here. A purge is decided by a commit of the graph, "
        "which the message names; from then on there is no way back, though some of the data "
        "may still be there. A newer graph must be deleted before the older one can take its "
        "name again."
    ),
    "read_set_conflict": (
        "What this command read was changed by another writer before it could commit, so its "
        "result might rest on old facts. Nothing was written. Read again and try again; doing so "
        "is safe."
    ),
    "load_line_invalid": (
        "A line of the input is no JSON object of a row: the form is wrong, or the type is none "
        "of the schema's. A load is one commit, so no line of the file was loaded. The message "
        "names the line. As a warning it tells of a line that was set aside, since some were "
        "allowed to be (`--max-errors`); the reject file has it with what is wrong.\n\n"
        '    {"type":"Package","data":{"name":"app"}}\n'
        '    {"edge":"DependsOn","from":"app","to":"web","data":{}}'
    ),
    "load_key_violation": (
        "A key stands for one entity, and two rows have the same, in the input or with one that "
        "is there. Nothing was loaded. With `--mode merge` a row replaces the one with its key."
    ),
    "load_endpoint_missing": (
        "An edge names a node by an id that neither the graph nor the input has. An edge into "
        "nothing would be lost to every query, so nothing was loaded. Load the nodes before or "
        "in the same file."
    ),
    "load_value_invalid": (
        "A value is not of its property's type, is null where none may be, lies outside a range "
        "or an enum, or breaks a check. Nothing was loaded. The message names line, property and "
        "what it takes."
    ),
    "value_violated": (
        "The schema says of each property whether it may be null, which values an enum has, which "
        "range a number lies in and which pattern a text matches; this write would leave a row "
        "that breaks such a rule. The message names the type, the id, the property and the rule. "
        "Nothing was written: a query is written whole or not at all."
    ),
    "key_violated": (
        "An id stands for one entity, and the write makes one that is there already. Nothing was "
        "written. An insert of a node with a key replaces what has that key; a node without a key "
        "and an edge are always new."
    ),
    "endpoint_missing": (
        "An edge names a node by an id that neither the graph nor the same query has. An edge into "
        "nothing would be lost to every query, so nothing was written. Insert the node before the "
        "edge, in the same query or an earlier one."
    ),
    "unique_violated": (
        "The schema has `@unique` over these properties, and two rows would have the same values "
        "in all of them; a row where one of them is null is exempt. Nothing was written. The "
        "message names both rows where both are known."
    ),
    "cardinality_violated": (
        "`@card(m..n)` bounds how many edges of the type leave one node, and after this write a "
        "node would have more or fewer. Where `m` is above zero, a new node needs its edges in the "
        "same write. Nothing was written."
    ),
    "orphan_edge": (
        "A node would go and edges that name it would stay, leading nowhere. A `delete` in a query "
        "takes the edges with it; this was told by a write that says itself what goes, such as a "
        "load in mode overwrite. Nothing was written. Load the edges too, or merge."
    ),
    "load_file_missing": (
        "The file that was named is not there or may not be read. Nothing was done. Check the "
        "path; it is relative to where you are, not to the cluster's folder."
    ),
    "load_rejects_unwritable": (
        "Lines of the input were set aside, and the file that shall tell of them cannot be written: "
        "its folder is not there, may not be written to or is full, or the path is a folder's. What "
        "was set aside would be lost, so the other lines were not loaded either. Give another path "
        "to `--rejects` and load again."
    ),
    "param_missing": (
        "The query has a parameter that is neither nullable nor given. OmniGraph 0.10 would "
        "leave the condition out and return too much; here the query is refused before any data "
        "is read. Give it:\n\n"
        '    agentctl query supply.impact --params \'{"name":"json"}\''
    ),
    "param_unknown": (
        "The arguments name a parameter that the query does not declare. A misspelt name would "
        "otherwise mean a condition that is not there. The remedy names the nearest; `agentctl "
        "queries list` shows them all."
    ),
    "param_invalid": (
        "The value of a parameter is not of its declared type, e.g. text for a number, or is out "
        "of its range. Nothing was read. Whole numbers beyond 2^53 travel as text; dates are "
        '`"2026-01-31"`.'
    ),
    "query_too_large": (
        "On its way the query would hold more rows than its bound of memory, so it was stopped "
        "before they were made. The message names both numbers. Narrow the match: begin from a "
        "key, add a condition, connect its parts by an edge, lower the hop bounds. `query explain` "
        "shows where the rows come from."
    ),
    "query_deadline_exceeded": (
        "The query ran longer than it was given and was stopped between two steps; nothing was "
        "changed, since reads change nothing. `query explain --analyze` with more time shows "
        "which step takes it. Narrow the match, or add an index to what it begins from."
    ),
    "embedding_secret_missing": (
        "`nearest` was asked with a text, which an embedding provider makes a vector of first, and "
        "the graph is bound to none, or the variable that holds the provider's key is not set. "
        "Nothing was read. Bind the graph to a provider and set the variable where agentctl runs, "
        "or give a vector as the parameter:\n\n"
        "    graphs:\n"
        "      docs: {schema: docs.pg, embedding_provider: main}"
    ),
    "embedding_model_mismatch": (
        "`@embed(…, model=…)` says which model made the vectors of a property, and the provider "
        "that the graph is bound to has another one. Vectors of two models have nothing to do with "
        "each other, so any answer would be chance. Nothing was read. Bind the graph to a provider "
        "with that model, or embed the texts anew and change the annotation."
    ),
    "embedding_dimension_mismatch": (
        "The provider's model makes vectors of another length than the property has, also when it "
        "was asked for that length. Nothing was read. Bind the graph to a provider whose model "
        "fits, or declare the property with its length."
    ),
    "embedding_failed": (
        "The embedding provider could not be reached, refused, or answered in a form that is none "
        "of its interface's. The message gives its status; what it said is not repeated, since that "
        "may hold the key. Nothing was read. A busy provider was asked three times. The key goes to "
        "addresses that begin with https:// alone, or to http:// of this machine."
    ),
    "sum_out_of_range": (
        "The integer sum is beyond 2^53, where JSON numbers are no longer exact. It is refused "
        "rather than rounded. Sum a smaller group, or count."
    ),
}

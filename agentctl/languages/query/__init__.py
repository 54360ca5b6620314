"""`.gq`: the query language of a graph."""

"""The search functions of the language: words, ranks by BM25, nearest vectors, fused ranks.

What each function means is ADR 25; here is how it is answered. `searches` answers for the
nodes of one type, `ranking` for rows, `embedding` turns texts into vectors before a read begins; which
columns Lance indexes for it stands in `agentctl.graph.search_indexes`. All but `embedding` is
synchronous and runs in a worker thread.
"""

"""Providers that make vectors of texts, and the cache of what they made.

Each has `model` and `embed`, which is `agentctl.graph.search.embedding.Embedder`. `open` makes the one
that a profile of the cluster names. They know nothing of graphs.
"""

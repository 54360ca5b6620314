"""The search functions of the language: words, ranks by BM25, nearest vectors, fused ranks.

What each function means is ADR 25; here is how it is answered. `scoring` and `distances` answer for
the nodes of one type, `ranking` for rows, `embedding` turns texts into vectors before a read begins,
`indexes` says which columns Lance indexes for it. All but `embedding` is synchronous and runs in a
worker thread.
"""

"""Reads: a checked query becomes a typed plan, the plan is improved by rules, and executors run it.

`logical`, `expressions`, `lowering`, `rules` and `cost` are pure; `executors`, `executing` and what
they call work on Arrow arrays in a worker thread. Whoever reads a graph calls `running` or
`explaining`. Source: graph-engine 3, ADR 23.
"""

"""Shapes of answers about graphs that faces render; they name them from here, not from the engine."""

from agentctl.engine.data import GraphDetails, GraphSummary
from agentctl.engine.history_of_graphs import Changes
from agentctl.engine.sandbox_sweep import SweptSandboxes
from agentctl.graph.branching.told import DiffReport, EntityChange, TypeSummary
from agentctl.graph.data_port import CleanupReport
from agentctl.graph.port import CommitInfo

__all__ = [
    "Changes",
    "CleanupReport",
    "CommitInfo",
    "DiffReport",
    "EntityChange",
    "GraphDetails",
    "GraphSummary",
    "SweptSandboxes",
    "TypeSummary",
]

"""A model that works through the MCP tools as an agent: its loop, its budgets, its recorded session."""

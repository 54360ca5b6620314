"""`status` over MCP beside an empty tool of the bare SDK: `python -m benchmarks.mcp`."""

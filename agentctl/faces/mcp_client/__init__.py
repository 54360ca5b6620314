"""The only MCP client: for evals and the demo."""

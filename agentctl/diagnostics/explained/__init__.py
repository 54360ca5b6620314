"""The paragraphs of the diagnostic codes, a module an area; `agentctl.diagnostics.explanations` joins them."""

"""What agentctl tells about a mistake: spans, diagnostics, their codes, bags and renderings."""

"""What `agentctl reconcile` does next: a pure machine over events. Nothing here acts or waits."""

"""The object store protocol with its guarantees, and the machines over it: numbered logs, leases."""

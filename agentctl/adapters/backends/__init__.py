"""Storage roots: implementations of `agentctl.domain.storage.protocol.ObjectStore`."""

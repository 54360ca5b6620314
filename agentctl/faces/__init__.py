"""What people and agents touch. Every face goes through `agentctl_tools`, the one door."""

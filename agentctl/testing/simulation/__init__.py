"""The whole control plane in one thread on a virtual clock: the same seed gives the same trace, byte for byte."""

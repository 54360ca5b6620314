"""The fuzzer of the parsers: generated and mutated inputs, guided by the edges they reach."""

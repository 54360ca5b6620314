"""Ratios against something real, in one run. Run them with `make bench`; docs/benchmarks.md says how to read them."""

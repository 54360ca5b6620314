"""Ops: the record of one mutation, its status machine, and the walks over their DAG."""

"""Writing rows: changes as values, what they must keep, how they reach the datasets, mutations, migrations."""

"""The screens: what waits, the decision page, and what is asked before a decision."""

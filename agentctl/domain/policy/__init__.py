"""Who may do what: the principals chain, requests, decisions. `cedar.py` is Cedar's only caller."""

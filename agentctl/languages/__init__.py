"""What the text of a cluster folder says: `.pg` schemas and `.gq` queries. Pure."""

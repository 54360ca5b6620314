"""Where anchors of the audit chain are kept: tags and notes of a git repository, files, URLs."""

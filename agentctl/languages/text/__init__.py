"""What both languages share: source text with places, tokens, a cursor, and the report of mistakes."""

"""A place in a text file."""

import msgspec


class Span(msgspec.Struct, frozen=True, kw_only=True, order=True, gc=False):
    """From the first character to just behind the last one, 1-based, columns in characters."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


def span_at(file: str, text: str, start: int, end: int) -> Span:
    """Returns the span of ``text[start:end]``; a tab and a wide character count as one column."""
    line = text.count("\n", 0, start) + 1
    column = start - (text.rfind("\n", 0, start) + 1) + 1
    end_line = line + text.count("\n", start, end)
    end_column = end - (text.rfind("\n", 0, end) + 1) + 1
    return Span(file=file, line=line, column=column, end_line=end_line, end_column=end_column)

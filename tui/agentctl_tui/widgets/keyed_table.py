"""A table whose rows have identities: the cursor stays with its row wherever that moves."""

from collections.abc import Sequence

from rich.text import Text
from textual.widgets import DataTable

from agentctl_tui.models.sandboxes import Row


class KeyedTable(DataTable[Text]):
    """Rows of a view model; cells were made safe there and are never read as markup."""

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's name for it
        super().__init__(id=id, cursor_type="row", zebra_stripes=False)

    def make_columns(self, headings: Sequence[str], widths: Sequence[int]) -> None:
        """Makes the columns, once."""
        for number, (heading, width) in enumerate(zip(headings, widths, strict=True)):
            self.add_column(heading, width=width, key=str(number))

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Replaces the rows; the cursor stays with the one that was chosen, while it is there."""
        chosen, at = self.chosen(), self.cursor_row
        self.clear()
        for row in rows:
            self.add_row(*(Text(cell, no_wrap=True) for cell in row.cells), key=row.key)
        keys = [row.key for row in rows]
        if keys:
            self.move_cursor(row=keys.index(chosen) if chosen in keys else min(at, len(keys) - 1))

    def chosen(self) -> str | None:
        """Returns the key of the row under the cursor; None where there is no row."""
        if self.row_count == 0:
            return None
        return self.coordinate_to_cell_key(self.cursor_coordinate).row_key.value

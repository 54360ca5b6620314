"""The revisions. One that was released is never edited: the next one changes what it did."""

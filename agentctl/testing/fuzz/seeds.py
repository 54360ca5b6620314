"""Seeds of the fuzzers: the sources of the corpus's pages, by the parser that reads them."""

from pathlib import Path

from agentctl.testing.corpus.answers import source_bytes
from agentctl.testing.corpus.markdown import Block, read_page


def page_seeds(pages: Path, target: str) -> list[bytes]:
    """Returns every different source on the pages that the parser *target* reads, sorted."""
    found = {
        source_bytes(block)
        for page in sorted(pages.glob("*.md"))
        for case in read_page(page)
        for block in case.sources
        if _reader(block) == target and "repeat" not in block.options
    }
    return sorted(found)


def _reader(block: Block) -> str:
    """Returns the name of the target that reads a block; blocks that none reads have their word."""
    if "policy" in block.options:
        return "policy"
    return "cluster" if block.file == "cluster.yaml" else block.word

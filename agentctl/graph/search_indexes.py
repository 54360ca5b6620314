"""Which columns Lance indexes for searches, and how. Source: languages 1.3, ADR 25.

`Tables` builds what is missing after each write, one version of the dataset for each. An inverted index
cuts texts as `agentctl.graph.search.words` does; it decides speed and never what is found.
"""

import logging
import math
from typing import TYPE_CHECKING, Final

from agentctl.graph.index_homes import strayed_indexes
from agentctl.languages.schema.ir import IrProperty, IrType
from agentctl.languages.schema.types import Scalar

if TYPE_CHECKING:
    import lance  # imported by `Tables`, behind its log level

VECTOR_BYTES_MIN: Final = 32 << 20
"""Fewer are compared exactly, in about the time that an index takes: 2.6 ms where they are warm."""
PARTITION_COUNT_MAX: Final = 1_024
logger = logging.getLogger(__name__)
BTREE: Final = "_btree"
TEXT: Final = "_words"
VECTOR: Final = "_near"
"""What the names of indexes end in, behind their column."""


def text_columns(ir_type: IrType) -> tuple[str, ...]:
    """Returns the columns whose words are indexed: `@index` on a free String that is no key."""
    if ir_type.kind != "node":
        return ()
    return tuple(p.column for p in ir_type.properties if _declared(ir_type, p) and _is_text(p))


def vector_columns(ir_type: IrType) -> tuple[str, ...]:
    """Returns the columns whose vectors are indexed: `@index` on a Vector."""
    if ir_type.kind != "node":
        return ()
    return tuple(
        p.column for p in ir_type.properties if _declared(ir_type, p) and p.vector_dim is not None
    )


def missing_search_indexes(
    ir_type: IrType, dataset: "lance.LanceDataset", *, rows_min: int
) -> tuple[str, ...]:
    """Returns the columns that are large enough for a search index and have none."""
    rows = dataset.count_rows()
    named = {index.name for index in dataset.describe_indices()}
    texts = text_columns(ir_type) if rows >= rows_min else ()
    vectors = (c for c in vector_columns(ir_type) if is_large(ir_type, c, rows))
    return (
        *(c for c in texts if f"{c}{TEXT}" not in named),
        *(
            c
            for c in vectors
            if f"{c}{VECTOR}" not in named
            and is_large(ir_type, c, dataset.count_rows(filter=f"`{c}` IS NOT NULL"))
        ),
    )


def is_large(ir_type: IrType, column: str, rows: int) -> bool:
    """Returns whether so many vectors of a column are looked through by an index, if it has one."""
    length = next(p.vector_dim for p in ir_type.properties if p.column == column) or 0
    return rows * length * 4 >= VECTOR_BYTES_MIN


def build_search_index(ir_type: IrType, dataset: "lance.LanceDataset", column: str) -> bool:
    """Builds the search index of a column, which is one version of the dataset.

    Returns whether there is one now. Vectors whose squares are beyond 32 bits have no place in one:
    then nothing is made, and all are compared.
    """
    if column in text_columns(ir_type):
        dataset.create_scalar_index(
            column,
            "INVERTED",
            name=f"{column}{TEXT}",
            with_position=True,
            base_tokenizer="simple",
            lower_case=True,
            stem=False,
            remove_stop_words=False,
            ascii_folding=False,
            max_token_length=None,
        )
        return True
    rows = dataset.count_rows(filter=f"`{column}` IS NOT NULL")
    partitions = min(max(round(math.sqrt(rows)), 1), PARTITION_COUNT_MAX)
    try:
        dataset.create_index(
            column,
            "IVF_FLAT",
            name=f"{column}{VECTOR}",
            metric="l2",
            num_partitions=partitions,
            replace=True,
        )
    except (ValueError, OSError) as failure:
        logger.info("vectors are not indexed", extra={"column": column, "why": str(failure)})
        return False
    return True


def update_search_index(dataset: "lance.LanceDataset", name: str) -> bool:
    """Brings the index of that name up to date, as `build_search_index` does; not one of scalars."""
    try:
        dataset.optimize.optimize_indices(index_names=[name])
    except (ValueError, OSError) as failure:
        logger.info("vectors are not indexed", extra={"index": name, "why": str(failure)})
        return False
    return True


def rebuild_index(ir_type: IrType, dataset: "lance.LanceDataset", name: str) -> None:
    """Makes an index anew, by one version; drops one of searches that can be none any more."""
    [column] = next(i.field_names for i in dataset.describe_indices() if i.name == name)
    if name == f"{column}{BTREE}":
        dataset.create_scalar_index(column, "BTREE", name=name)
        return
    wanted = column in text_columns(ir_type) + vector_columns(ir_type)
    if not (wanted and build_search_index(ir_type, dataset, column)):
        dataset.drop_index(name)


def is_vector_index(name: str) -> bool:
    """Returns whether an index of Lance is one that `build_search_index` makes of vectors."""
    return name.endswith(VECTOR)


def has_text_index(dataset: "lance.LanceDataset", column: str) -> bool:
    """Returns whether the words of a column are indexed, and can be looked up."""
    return _has(dataset, f"{column}{TEXT}")


def has_vector_index(dataset: "lance.LanceDataset", column: str) -> bool:
    """Returns whether the vectors of a column are indexed, and can be looked up."""
    return _has(dataset, f"{column}{VECTOR}")


def _has(dataset: "lance.LanceDataset", name: str) -> bool:
    there = any(index.name == name for index in dataset.describe_indices())
    return there and name not in strayed_indexes(dataset)


def _declared(ir_type: IrType, prop: IrProperty) -> bool:
    """Returns whether the schema says `@index`, alone or together with others; a key does not."""
    together = {name for c in ir_type.constraints if c.kind == "index" for name in c.columns}
    return prop.name in together or (prop.indexed and prop.name not in ir_type.key)


def _is_text(prop: IrProperty) -> bool:
    return prop.scalar == Scalar.STRING.value and not prop.list and prop.enum_values is None

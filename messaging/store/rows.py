"""Many rows at once, by statements that are made once: what every accepted message is written by.

SQLAlchemy works each statement out anew for each group, which costs more than the database does; so the statements for
whole rows are handed to the driver as they are. The types of the tables say how values are written, as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Dialect, Table

from messaging.store import tables as t
from messaging.store.session import WriteTx

Writer = Callable[[Any], Any]


async def insert(tx: WriteTx, *wanted: tuple[Table, Sequence[t.Row]]) -> None:
    """Insert rows into several tables, in this order; on PostgreSQL with one statement.

    All rows of a table have the same columns.
    """
    given = [(table, rows) for table, rows in wanted if rows]
    if not given:
        return
    if tx.is_postgresql:
        statement = _together(tx.connection.dialect, tuple((table, tuple(rows[0])) for table, rows in given))
        await (await tx.driver()).execute(
            statement, *(one for table, rows in given for one in _columns(tx, table, rows))
        )
        return
    for table, rows in given:
        if tx.at_once is None:
            # Inline: the ids are not asked back, since a caller may write lines that it may not read.
            await tx.connection.execute(table.insert().inline(), rows)
        else:
            tx.at_once.executemany(_one_by_one(table, tuple(rows[0])), _written(tx, table, rows))


async def insert_new(tx: WriteTx, table: Table, rows: Sequence[t.Row]) -> set[Any]:
    """Insert those of the rows that nothing stands in the way of; gives their ids."""
    names = tuple(rows[0])
    if tx.is_postgresql:
        statement = f"{_from_arrays(tx.connection.dialect, table, names, 0)} ON CONFLICT DO NOTHING RETURNING id"
        found = await (await tx.driver()).fetch(statement, *_columns(tx, table, rows))
        return {row["id"] for row in found}
    statement = f"{_one_by_one(table, names)} ON CONFLICT DO NOTHING"
    if tx.at_once is None:
        raise TypeError("on SQLite a group is written at once")
    inserted = [tx.at_once.execute(statement, values).rowcount for values in _written(tx, table, rows)]
    return {row["id"] for row, number in zip(rows, inserted, strict=True) if number}


@cache
def _together(dialect: Dialect, wanted: tuple[tuple[Table, tuple[str, ...]], ...]) -> str:
    """Write one statement that inserts into several tables; its parameters are arrays, column by column."""
    parts, place = [], 0
    for table, names in wanted:
        parts.append(_from_arrays(dialect, table, names, place))
        place += len(names)
    *first, last = parts
    return "WITH " + ", ".join(f"t{n} AS ({part})" for n, part in enumerate(first)) + f" {last}" if first else last


@cache
def _from_arrays(dialect: Dialect, table: Table, names: tuple[str, ...], place: int) -> str:
    arrays = ", ".join(f"${place + n}::{table.c[name].type.compile(dialect)}[]" for n, name in enumerate(names, 1))
    above = {name: table.c[name].info[t.ABOVE] for name in names if t.ABOVE in table.c[name].info}
    values, columns = (
        ", ".join(f"{name} + {above[name]}" if name in above else name for name in names),
        ", ".join(names),
    )
    return f"INSERT INTO {table.name} ({columns}) SELECT {values} FROM unnest({arrays}) AS given ({columns})"  # noqa: S608


@cache
def _one_by_one(table: Table, names: tuple[str, ...]) -> str:
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608 - ours


@cache
def _writers(dialect: Dialect, table: Table, names: tuple[str, ...]) -> tuple[Writer | None, ...]:
    """Find how the values of each column are written for the driver; None: as they are."""
    return tuple(table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names)


def _columns(tx: WriteTx, table: Table, rows: Sequence[t.Row]) -> Iterator[list[Any]]:
    names = tuple(rows[0])
    for name, write in zip(names, _writers(tx.connection.dialect, table, names), strict=True):
        yield [row[name] for row in rows] if write is None else [write(row[name]) for row in rows]


def _written(tx: WriteTx, table: Table, rows: Sequence[t.Row]) -> Iterator[tuple[Any, ...]]:
    return zip(*_columns(tx, table, rows), strict=True)

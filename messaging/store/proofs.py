"""Proofs that have been used: each opens one request, whichever process it comes to.

While one group is being written the next one gathers, so that many requests cost one commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from messaging.errors import TransactionConflict
from messaging.model.sight import NOTHING
from messaging.store import tables as t
from messaging.store.session import Database

_MOST = 500


class UsedProofs:
    """Remembers used proofs in the database until they could not be used anyway."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._gathered: dict[bytes, tuple[datetime, asyncio.Future[bool]]] = {}
        self._writing = asyncio.Lock()

    async def use(self, digest: bytes, *, until: datetime) -> bool:
        """Use a proof; False when it has been used before. Raises DatabaseUnavailable when nobody can tell."""
        if digest in self._gathered:
            return False
        mine: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._gathered[digest] = until, mine
        async with self._writing:
            while not mine.done():
                await self._write()
        return await mine

    async def _write(self) -> None:
        group = dict(list(self._gathered.items())[:_MOST])
        for digest in group:
            del self._gathered[digest]
        try:
            new = await self._insert({digest: until for digest, (until, _) in group.items()})
        except BaseException as error:
            told = error if isinstance(error, Exception) else TransactionConflict("Repeat the same request.")
            for _, future in group.values():
                if not future.done():
                    future.set_exception(told)
                    future.exception()  # whoever has gone away does not ask for it
            raise
        for digest, (_, future) in group.items():
            if not future.done():
                future.set_result(digest in new)

    async def _insert(self, group: Mapping[bytes, datetime]) -> set[bytes]:
        async with self._database.write(NOTHING) as tx:
            insert = postgresql_insert if tx.is_postgresql else sqlite_insert
            # Sorted, so that two processes that use the same proofs wait for each other in one order only.
            rows = [{"digest": digest, "expires_at": group[digest]} for digest in sorted(group)]
            statement = insert(t.used_proof).on_conflict_do_nothing().returning(t.used_proof.c.digest)
            return set((await tx.connection.execute(statement, rows)).scalars())

    async def purge(self, *, at: datetime) -> None:
        """Forget proofs that are too old to be used."""
        async with self._database.write(NOTHING) as tx:
            await tx.connection.execute(delete(t.used_proof).where(t.used_proof.c.expires_at < at))

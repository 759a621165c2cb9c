"""The composition root: settings become an engine, a catalogue, adapters and routes, and those the application."""

from __future__ import annotations

import fcntl
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from messaging import __version__, traces
from messaging.documents import Catalogue, CodeLists, Explainer, Validator
from messaging.documents.parser_version import require_safe_parser
from messaging.errors import ConfigurationError, Unavailable
from messaging.flow import months, work
from messaging.flow.admission import Admission
from messaging.flow.anchors import Anchor, FileAnchor, HttpAnchor, SyslogAnchor
from messaging.flow.channels import Channels
from messaging.flow.exchange import Exchange
from messaging.flow.issuers import Issuer
from messaging.keys import Vault
from messaging.logs import logger_of
from messaging.master_keys import master_keys
from messaging.memory import leave_what_stays, return_large_pieces
from messaging.model.clock import Clock, system_clock
from messaging.model.log import LogEvent
from messaging.model.sight import EVERYTHING, NOTHING
from messaging.openid import Provider
from messaging.private_files import make_private, read_secret
from messaging.provider_settings import ProviderSetting
from messaging.reach import Reach
from messaging.registry import Registry, require_known
from messaging.settings import (
    AnchorSetting,
    FileAnchorSetting,
    HttpAnchorSetting,
    Settings,
    SyslogAnchorSetting,
)
from messaging.signing import SigningKey
from messaging.store import encryption_keys, parties, revisions
from messaging.store.alone import DatabaseAlone
from messaging.store.committer import Committer
from messaging.store.directory import Directory
from messaging.store.keys import KeyUses
from messaging.store.proofs import UsedProofs
from messaging.store.session import Database
from messaging.store.shared_clock import SharedClock
from messaging.store.wakeups import Wakeups

if TYPE_CHECKING:  # only `create_app` needs it, and the terminal's commands start quicker without
    from fastapi import FastAPI

logger = logger_of(__name__)


@asynccontextmanager
async def open_exchange(
    settings: Settings, *, clock: Clock | None = None, registry: Registry | None = None, alone: bool = False
) -> AsyncIterator[Exchange]:
    """Open every part of the exchange, and close them in the reverse order; nothing runs yet.

    `alone`: no requests are served beside, so that SQLite may be asked without threads.
    Without a `clock` the time is the database's, or on SQLite the host's. Raises ConfigurationError when a setting, an
    adapter, a route or the database cannot be trusted.
    """
    installed = registry or Registry.discover()
    routes, reach = settings.routing(), Reach(settings.calls_allowed)
    require_known(routes.named(), settings.adapters)
    database = (DatabaseAlone if alone else Database)(settings.database_url, pool_size=settings.database_pool_size)
    try:
        if database.file is not None:
            make_private(database.file)
        await database.check()
        clock = clock or await _clock_of(database)
        async with _owning(settings) as owner:
            await revisions.require_current(database, owner=owner)
        await database.continue_positions()
        vault = await open_vault(settings, database, at=clock())
        require_known(await _routes_of_parties(database), settings.adapters)
        validator = validator_of(settings, clock)
        signatures = settings.signatures.signatures()
        with closing(validator), closing(Explainer(validator.catalogue)) as explainer:
            async with (
                installed.open(settings.adapter_settings(), reach) as adapters,
                _issuers(settings, reach) as issuers,
            ):
                yield Exchange(
                    clock=clock,
                    database=database,
                    directory=Directory(database),
                    committer=Committer(database),
                    wakeups=Wakeups(database),
                    validator=validator,
                    explainer=explainer,
                    routes=routes,
                    adapters=adapters,
                    speaks_for=settings.speaks_for(),
                    pepper=read_pepper(settings.key_file),
                    key_uses=KeyUses(),
                    used_proofs=UsedProofs(database),
                    vault=vault,
                    issuers=issuers,
                    edge=settings.edge(),
                    terms=settings.terms(),
                    data_folder=database.data_folder,
                    audit_key=read_audit_key(settings.audit_key()),
                    signatures=signatures,
                    anchors=tuple([await _anchor(one, reach) for one in settings.anchors()]),
                    reach=reach,
                    channels=await _channels(settings, reach),
                    admission=Admission(settings.admission()),
                    providers={name: await _provider(name, one, reach) for name, one in settings.providers.items()},
                )
    finally:
        await database.close()


async def _routes_of_parties(database: Database) -> set[str]:
    async with database.read(NOTHING) as tx:
        return {party.route for party in await parties.every(tx) if party.route}


async def _clock_of(database: Database) -> Clock:
    """Take the time from what all processes share."""
    if database.is_sqlite:
        return system_clock
    shared = SharedClock(database)
    await shared.agree()
    return shared


@asynccontextmanager
async def _owning(settings: Settings) -> AsyncIterator[Database | None]:
    """Open the database in the role that owns its tables; None where the application's own role is to be enough."""
    if settings.migration_url is None:
        yield None
        return
    owner = Database(settings.migration_url.get_secret_value(), pool_size=2)
    try:
        yield owner
    finally:
        await owner.close()


async def bring_up_to_date(settings: Settings) -> None:
    """Bring the database up to date, and give the application's role what it needs. Raises ConfigurationError."""
    database = Database(settings.database_url, pool_size=2)
    try:
        if database.file is not None:
            make_private(database.file)
        from messaging.store import migrate  # Alembic, which a start that has nothing to apply does without

        async with _owning(settings) as owner:
            await migrate.upgrade(database, owner=owner)
    finally:
        await database.close()


async def open_vault(settings: Settings, database: Database, *, at: datetime) -> Vault:
    """Open the database's keys with the master keys that the settings name; at the first start both are made.

    Raises ConfigurationError that names the master key that is lacking.
    """
    async with database.read(NOTHING) as tx:
        is_new = not await encryption_keys.every(tx)
    vault = Vault(master_keys(settings.encryption(), make=is_new))
    async with database.write(EVERYTHING) as tx:
        await encryption_keys.begin(tx, vault, at=at)
    return vault


@asynccontextmanager
async def _issuers(settings: Settings, reach: Reach) -> AsyncIterator[dict[str, Issuer]]:
    """Trust the issuers of access tokens that the settings name; they are asked when the first token comes."""
    for one in settings.token_issuers:
        try:
            await reach.check(one.terms().metadata_url)
        except ValueError as error:
            raise ConfigurationError(f"token_issuers: {error}.") from None
    issuers = {one.url: Issuer(one.terms(), reach) for one in settings.token_issuers}
    try:
        yield issuers
    finally:
        for issuer in issuers.values():
            await issuer.close()


def validator_of(settings: Settings, clock: Clock = system_clock) -> Validator:
    """Make the judge of documents that the settings ask for. Raises ConfigurationError for what cannot be used."""
    require_safe_parser()
    return Validator(
        Catalogue.load(settings.schema_packs),
        policy=settings.rule_policy(),
        codes=CodeLists.load(settings.code_lists) if settings.code_lists else None,
        clock=clock,
        limits=settings.document_limits(),
        signed_receipts=settings.signatures.receipts is not None or bool(settings.signatures.lines),
    )


def read_pepper(path: Path) -> bytes:
    """Read the secret that keys the hashes of API keys; make it when there is none."""
    return read_secret(path, "key_file", "give every client a new key")


def read_audit_key(path: Path) -> SigningKey:
    """Read the key that signs the seals of the audit log; make it when there is none."""
    return SigningKey(read_secret(path, "audit_key_file", "go on with a new one, which the audit log will tell"))


async def _provider(name: str, setting: ProviderSetting, reach: Reach) -> Provider:
    try:
        await reach.check(setting.issuer)
    except ValueError as error:
        raise ConfigurationError(f"providers.{name}.issuer: {error}.") from None
    return Provider(setting.trust(name), reach)


async def _channels(settings: Settings, reach: Reach) -> Channels:
    for name, one in settings.alarm_webhooks.items():
        try:
            await reach.check(one.url)
        except ValueError as error:
            raise ConfigurationError(f"alarm_webhooks.{name}.url: {error}.") from None
    return settings.channels(reach)


async def _anchor(setting: AnchorSetting, reach: Reach) -> Anchor:
    match setting:
        case FileAnchorSetting():
            return FileAnchor(setting.path)
        case HttpAnchorSetting():
            token = setting.token.get_secret_value() if setting.token else None
            try:
                await reach.check(str(setting.url))
            except ValueError as error:
                raise ConfigurationError(f"audit_anchors: {error}.") from None
            return HttpAnchor(str(setting.url), name=f"http {setting.url.host}", token=token, reach=reach)
        case SyslogAnchorSetting():
            return SyslogAnchor(setting.address)


@contextmanager
def only_server(settings: Settings) -> Iterator[None]:
    """Hold the SQLite file for one serving process; on PostgreSQL any number may serve."""
    url = Database(settings.database_url).url
    if url.get_backend_name() != "sqlite":
        yield
        return
    path = Path(f"{url.database}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigurationError(
                f"Another process already serves {url.database}. One process serves an SQLite file; "
                "stop it first, or use PostgreSQL for several."
            ) from error
        yield


def traced(settings: Settings) -> AbstractContextManager[None]:
    """Send traces where the settings say, while the block lasts."""
    return traces.sent_to(settings.traces_endpoint, version=__version__)


@contextmanager
def _told_if_refused() -> Iterator[None]:
    """Log in words why the start is refused; a server would only tell that it was."""
    try:
        yield
    except (ConfigurationError, Unavailable) as error:
        logger.error(LogEvent.START_REFUSED, error=type(error).__name__, reason=str(error))  # noqa: TRY400 - words
        raise


def every_door() -> FastAPI:
    """Make the doors and the console; whoever starts them sets `app.state.exchange` before the first request."""
    from messaging import console
    from messaging.api import create_api

    return_large_pieces()

    app = create_api()
    app.include_router(console.router)
    return app


def create_app(
    settings: Settings, *, clock: Clock | None = None, registry: Registry | None = None, alone: bool = False
) -> FastAPI:
    """Make the application; the exchange opens when it starts and closes when it stops.

    `alone`: its process does nothing else.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Exchange]]:
        with _told_if_refused(), only_server(settings), traced(settings):
            async with open_exchange(settings, clock=clock, registry=registry) as exchange:
                await months.make_ahead(exchange)  # before the first message, which then has its month
                async with work.running(exchange):
                    app.state.exchange = exchange
                    if alone:
                        leave_what_stays()
                    yield {"exchange": exchange}
                    del app.state.exchange  # routers outlive the application, and would keep all of the exchange alive

    app = every_door()
    app.router.lifespan_context = lifespan
    return app

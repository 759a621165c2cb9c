"""The database's address: written as libpq reads it, and what it says about the connection."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import asyncpg
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from messaging.errors import ConfigurationError
from messaging.model.address import is_here

_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_VERIFIED = frozenset({"verify-ca", "verify-full"})
_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile")
_TAKEN = (
    *("host", "port", "sslmode", *_FILES),
    *("sslnegotiation", "ssl_min_protocol_version", "ssl_max_protocol_version", "target_session_attrs"),
)


def async_url(url: str) -> URL:
    """Read a database URL as people write it, and name the asynchronous driver. Raises ConfigurationError."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigurationError(
            "database_url is not a URL; use sqlite:///samhandling.db or postgresql://user@host/database."
        ) from error
    match parsed.get_backend_name():
        case "sqlite":
            return parsed.set(drivername="sqlite+aiosqlite")
        case "postgresql" | "postgres":
            _require_readable(url)
            return parsed.set(drivername="postgresql+asyncpg")
        case other:
            raise ConfigurationError(f"database_url names {other}; Samhandling runs on sqlite and postgresql.")


def _require_readable(url: str) -> None:
    seen: set[str] = set()
    for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True):
        if name not in _TAKEN:
            instead = "write sslmode=" if name == "ssl" else f"it may have {', '.join(_TAKEN)}"
            raise ConfigurationError(f"database_url has the parameter {name}, which is not taken; {instead}.")
        if name in seen:
            raise ConfigurationError(f"database_url has the parameter {name} twice; several hosts are host=a,b.")
        if not value:
            raise ConfigurationError(f"database_url has the parameter {name} with no value.")
        if name == "sslmode" and value not in _MODES:
            raise ConfigurationError(f"database_url: sslmode must be one of {', '.join(_MODES)}.")
        seen.add(name)


def require_files(url: URL) -> None:
    """Refuse an address that names a file which we cannot read. Raises ConfigurationError."""
    for name in _FILES:
        file = url.query.get(name)
        if isinstance(file, str) and not os.access(file, os.R_OK):
            raise ConfigurationError(f"database_url: {file}, named as {name}, is not there or cannot be read.")


def dsn(url: URL) -> str:
    """Write an address of PostgreSQL as its driver reads it: as libpq does."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def crosses_unverified(url: str) -> bool:
    """Tell whether a network lies before PostgreSQL, and nobody looks who is at its other end."""
    parsed = async_url(url)
    if parsed.get_backend_name() == "sqlite" or all(host.startswith("/") or is_here(host) for host in _hosts(parsed)):
        return False
    return (parsed.query.get("sslmode") or os.environ.get("PGSSLMODE")) not in _VERIFIED


def _hosts(url: URL) -> Iterator[str]:
    """Name each host; none when the driver looks on this machine by itself."""
    named = url.host or url.query.get("host") or os.environ.get("PGHOST") or ""
    for host in str(named).split(","):
        if host:
            yield host if host.count(":") > 1 else host.partition(":")[0]


def refusal(error: BaseException | None) -> str | None:
    """Say why no connection can be made by an address as it stands; None when it may succeed later."""
    match error:
        case None:
            return None
        case ssl.SSLError():
            why = getattr(error, "verify_message", "") or error.reason
            told = (
                f"TLS to the database failed: {why}. Compare its certificate with sslmode, sslrootcert and the host in "
                "database_url."
            )
        case asyncpg.exceptions.ClientConfigurationError():
            told = (
                f"database_url cannot be used: {error}. Name the file with the authority's certificate as sslrootcert."
            )
        case ConnectionError() if "rejected SSL" in str(error):
            told = "The database does not offer TLS, and database_url demands it (sslmode). Switch ssl on there."
        case asyncpg.exceptions.InvalidAuthorizationSpecificationError():
            told = (
                "The database does not let its user in. Compare the user and the password in database_url (or "
                "PGPASSWORD) and its sslmode with what the database asks for (pg_hba.conf)."
            )
        case asyncpg.exceptions.InvalidCatalogNameError():
            told = "The server has no database of the name in database_url. Make it first (deploy/roles.sql)."
        case _:
            return refusal(error.__cause__)
    return told

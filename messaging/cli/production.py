"""What a set-up lacks that real patients' messages shall pass through: `samhandling check --production`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

import fixtures
from messaging.flow.standing import Standing
from messaging.model.address import is_here
from messaging.settings import (
    FileAnchorSetting,
    FileKeySetting,
    HttpAnchorSetting,
    Settings,
)
from messaging.store.address import async_url, crosses_unverified

_ALL_NETWORKS = frozenset({ip_network("0.0.0.0/0"), ip_network("::/0")})


@dataclass(frozen=True, slots=True)
class Lack:
    """One thing that is missing, what it means, and what to do; a grave one must be mended before production."""

    what: str
    do: str
    grave: bool = True


def lacks(settings: Settings, standing: Standing) -> list[Lack]:
    """Name everything that a set-up for production lacks, the grave first."""
    found = [
        *_connections(settings),
        *_reached(settings),
        *_secrets(settings),
        *_callers(settings, standing),
        *_life(settings, standing),
    ]
    return sorted(found, key=lambda lack: not lack.grave)


def _connections(settings: Settings) -> Iterator[Lack]:
    public = settings.public_url
    if public is None:
        yield Lack(
            "No public_url: DPoP proofs and cookies are held to whatever address a request claims.",
            "Set SAMHANDLING_PUBLIC_URL to the https address that callers use.",
        )
    elif not str(public).startswith("https://"):
        yield Lack(
            "public_url is no https address: patients' records would cross the network in the clear.",
            "Let a proxy end TLS in front (deploy/nginx.conf), and name its https address.",
        )
    if settings.uds is None and not is_here(settings.host):
        yield Lack(
            f"The exchange itself listens on {settings.host} without TLS.",
            "Listen on a Unix socket (SAMHANDLING_UDS) or on 127.0.0.1, behind the proxy that ends TLS.",
        )
    if not settings.trusted_proxies:
        yield Lack(
            "No proxy is trusted: every caller seems to come from the proxy's address, and certificates are not seen.",
            "Set SAMHANDLING_TRUSTED_PROXIES to `unix`, or to the proxy's network.",
        )
    if settings.docs_page:
        yield Lack("The pages that describe the API are switched on.", "Switch docs_page off.", grave=False)


def _reached(settings: Settings) -> Iterator[Lack]:
    migration = settings.migration_url.get_secret_value() if settings.migration_url else None
    for name, url in (("database_url", settings.database_url), ("migration_url", migration)):
        if url and crosses_unverified(url):
            yield Lack(
                f"{name} reaches PostgreSQL over a network, and nobody looks who answers there.",
                "Add ?sslmode=verify-full&sslrootcert=FILE, the file with the authority that vouches for the database.",
            )
    for name, address in _called(settings):
        called = urlsplit(address)
        if called.scheme == "http" and not is_here(called.hostname or ""):
            yield Lack(
                f"{name} is called by http: what is sent there crosses the network in the clear.",
                "Name its https address.",
            )
    if _ALL_NETWORKS & set(settings.calls_allowed):
        yield Lack(
            "calls_allowed names every network: a URL in the settings could reach inside.",
            "Name only the networks of the receivers' systems.",
        )


def _called(settings: Settings) -> Iterator[tuple[str, str]]:
    """Name the addresses that may be http by the rules of the settings; providers and issuers may not."""
    for name, given in settings.adapters.items():
        yield f"The receiver of the adapter {name}", str(given.get("url", ""))
    for anchor in settings.anchors():
        if isinstance(anchor, HttpAnchorSetting):
            yield "An anchor of the audit log", str(anchor.url)


def _secrets(settings: Settings) -> Iterator[Lack]:
    data = _data_folder(settings)
    masters = settings.encryption()
    if all(isinstance(one, FileKeySetting) for one in masters):
        yield Lack(
            "The master key of the documents is a file on this machine.",
            "Keep it in a hardware token (`pkcs11`) or let a secret store hand it in (`environment`); docs/keys.md.",
            grave=False,
        )
    inside = [one.path for one in masters if isinstance(one, FileKeySetting) and _is_in(one.path, data)]
    if inside:
        yield Lack(
            "The master key lies in the folder of the database: one backup, or one thief, takes both.",
            "Name a file in another folder, on another disk, in SAMHANDLING_ENCRYPTION_KEYS; docs/keys.md.",
        )
    if _is_in(settings.key_file, data):
        yield Lack(
            "key_file lies in the folder of the database.", "Keep it in another folder, with a backup of its own."
        )
    anchors = settings.anchors()
    if not anchors or all(isinstance(one, FileAnchorSetting) and _beside(one.path, settings) for one in anchors):
        yield Lack(
            "The audit log is anchored on this machine alone: whoever rules it could rewrite the log and the anchor.",
            "Name an anchor that others keep, in SAMHANDLING_AUDIT_ANCHORS: `http` or `syslog`; docs/audit.md.",
        )
    if settings.audit_seal_seconds == 0:
        yield Lack("The audit log is not sealed.", "Set SAMHANDLING_AUDIT_SEAL_SECONDS to 1.")


def _callers(settings: Settings, standing: Standing) -> Iterator[Lack]:
    for weakness in standing.weaknesses:
        yield Lack(weakness, "See deploy/roles.sql and docs/operations.md.", grave=not _is_sqlite(settings))
    if standing.endless_keys:
        yield Lack(
            f"API keys that never expire: {', '.join(standing.endless_keys[:10])}.",
            "Give each client a key with an end (`samhandling clients key add --days`), or let it use tokens.",
        )
    if not settings.token_issuers and not settings.trusted_proxies:
        yield Lack(
            "Systems can call with API keys only, which a thief can use as they are.",
            "Take tokens that are bound to their caller (SAMHANDLING_TOKEN_ISSUERS), or client certificates.",
        )
    if any(not one.sender_constrained for one in settings.token_issuers):
        yield Lack("A token issuer's tokens are taken unbound.", "Set sender_constrained for every issuer.")
    if not settings.providers:
        yield Lack(
            "People sign in with a passphrase only.",
            "Let an identity provider with two factors vouch for them (SAMHANDLING_PROVIDERS; docs/people.md).",
        )
    elif any(not (one.acr or one.amr) for one in settings.providers.values()):
        yield Lack(
            "An identity provider may vouch for people without a second factor.",
            "Demand it with `acr` or `amr`; docs/people.md.",
        )
    if not standing.admins and not settings.providers:
        yield Lack("Nobody can administer.", "Make an account: `samhandling accounts add NAME --role admin`.")
    if settings.requests_per_second == 0 or settings.failures_per_minute == 0:
        yield Lack("Callers may ask, or guess keys, as often as they like.", "Give both rates a limit.")


def _life(settings: Settings, standing: Standing) -> Iterator[Lack]:
    if standing.her_ids & {party.her_id for party in fixtures.parties()}:
        yield Lack("The demo's parties are registered.", "Begin production with an empty database.")
    if not settings.retention_daily:
        yield Lack(
            "Documents are kept for ever.",
            "Set SAMHANDLING_RETENTION_DAILY, or run `samhandling retention run` from a timer.",
        )
    if settings.mail is None and not settings.alarm_webhooks:
        yield Lack(
            "Nobody is told of alarms: what lies undelivered is seen by whoever opens the console, and by nobody else.",
            "Name a mail server (SAMHANDLING_MAIL, SAMHANDLING_ALARM_MAIL_TO) or a webhook (docs/operations.md).",
        )
    if settings.mail is not None and settings.mail.security == "none" and not is_here(settings.mail.host):
        yield Lack("E-mail about alarms leaves unencrypted.", "Set `security` of SAMHANDLING_MAIL to starttls or tls.")
    if settings.disk_reserve_bytes == 0:
        yield Lack("No disk space is held back.", "Set SAMHANDLING_DISK_RESERVE_BYTES.")
    if settings.log_format == "console":
        yield Lack("Logs are written for people.", "Set SAMHANDLING_LOG_FORMAT to json.", grave=False)
    if _is_sqlite(settings):
        yield Lack(
            "SQLite: one process, one machine.", "PostgreSQL for more; docs/operations.md tells when.", grave=False
        )


def _is_sqlite(settings: Settings) -> bool:
    return async_url(settings.database_url).get_backend_name() == "sqlite"


def _data_folder(settings: Settings) -> Path | None:
    url = async_url(settings.database_url)
    return Path(url.database or "").resolve().parent if url.get_backend_name() == "sqlite" else None


def _is_in(path: Path, folder: Path | None) -> bool:
    return folder is not None and path.resolve().parent == folder


def _beside(path: Path, settings: Settings) -> bool:
    return path.resolve().parent in {settings.key_file.resolve().parent, _data_folder(settings)}

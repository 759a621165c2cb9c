"""Every setting, once: from the environment (`SAMHANDLING_…`) and from a TOML file, checked before anything starts."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from messaging import __version__
from messaging.alarm_settings import AlarmSettings
from messaging.caller_settings import IssuerSetting, Proxy, Url, edge
from messaging.errors import ConfigurationError
from messaging.flow.exchange import Terms
from messaging.keeping_settings import KeepingSettings
from messaging.limit_settings import LimitSettings
from messaging.model.edge import Edge
from messaging.model.limits import Limits
from messaging.model.retry import RetryPolicy
from messaging.model.routes import MAILBOX, Routes
from messaging.model.rules import RuleLine, RuleName, RulePolicy, Severity
from messaging.provider_settings import ProviderSetting
from messaging.serving_settings import ServingSettings
from messaging.signature_settings import SignatureSettings

PREFIX = "SAMHANDLING_"
CONFIG = f"{PREFIX}CONFIG"
_NOT_SETTINGS = frozenset({CONFIG, f"{PREFIX}TEST_POSTGRES_URL", f"{PREFIX}SHARED"})


class RouteSetting(BaseModel):
    """One line of routing: messages to `her_id` (of one `type`, or of all) go to `to`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    her_id: int = Field(gt=0)
    type: str | None = None
    to: str = MAILBOX


class RuleSetting(BaseModel):
    """One line of policy: how severe a `rule` is, for one `type`, for one receiver (`her_id`), or for all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: RuleName
    severity: Severity
    type: str | None = None
    her_id: int | None = Field(None, gt=0)


class FileAnchorSetting(BaseModel):
    """Seals are appended to the file `path`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["file"]
    path: Path


class HttpAnchorSetting(BaseModel):
    """Seals are posted to `url`, with `token` as a bearer token."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["http"]
    url: HttpUrl
    token: SecretStr | None = None


class SyslogAnchorSetting(BaseModel):
    """Seals are sent to the system log: a socket's path, or HOST:PORT by UDP."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["syslog"]
    address: str = Field("/dev/log", pattern=r"^(/.+|[^/:]+(:\d{1,5})?)$")


AnchorSetting = Annotated[FileAnchorSetting | HttpAnchorSetting | SyslogAnchorSetting, Field(discriminator="kind")]


class FileKeySetting(BaseModel):
    """A master key in the file `path`: 32 bytes, readable to us alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["file"]
    path: Path


class EnvironmentKeySetting(BaseModel):
    """A master key in the environment's `variable`: 32 bytes in Base64."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["environment"]
    variable: str = Field(min_length=1)


class TokenKeySetting(BaseModel):
    """A master key in a PKCS#11 token, which it never leaves: the library `module`, the labels of `token` and `key`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["pkcs11"]
    module: Path
    token: str
    key: str
    pin_variable: str = Field(min_length=1)


KeySetting = Annotated[FileKeySetting | EnvironmentKeySetting | TokenKeySetting, Field(discriminator="kind")]


class Settings(AlarmSettings, KeepingSettings, ServingSettings):
    """The operator's settings; a name we do not know, or a value we cannot use, stops the start."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    database_url: str = Field(
        "sqlite:///samhandling.db",
        description="`sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/DATABASE`; TLS in docs/operations.md",
    )
    migration_url: SecretStr | None = Field(
        None,
        description="The same database in the role that owns the tables, for `samhandling migrate`; with none named, "
        "`database_url` does both, and on PostgreSQL the second wall is weaker",
    )
    database_pool_size: int = Field(10, ge=2, le=500, description="Connections a process may hold")
    key_file: Path = Field(
        Path("samhandling.key"),
        description="The secret that keys the hashes of API keys; made with mode 0600 at the first start",
    )
    schema_packs: Path = Field(
        Path("samhandling-schemas"),
        description="The folder of schema packs, and of the choice which of them judges what (`samhandling schemas`)",
    )
    rules: tuple[RuleSetting, ...] = Field(
        (),
        description="Where rules are stricter or milder than they come: `rule`, `severity` (`reject`, `warn`, `off`), "
        "perhaps `type` and `her_id`; docs/rules.md lists the rules",
    )
    code_lists: Path | None = Field(
        None, description="A folder of code lists, as in schemas/codelists, that replace ours or add to them"
    )
    host: str = Field("127.0.0.1", description="The address to listen on")
    port: int = Field(8080, ge=0, le=65535, description="The port to listen on")
    uds: Path | None = Field(
        None,
        description="A Unix socket to listen on instead, for a proxy on the same host; deploy/nginx.conf shows one",
    )
    log_level: str = Field("info", pattern="^(debug|info|warning|error|critical)$", description="How much is logged")
    log_format: Literal["json", "console"] | None = Field(
        None, description="`json`, or `console` for people; when neither is named, `console` at a terminal"
    )
    largest_document_bytes: int = Field(35_000_000, ge=1000, description="A larger document is refused with 413")
    limits: LimitSettings = Field(
        LimitSettings(), description="What a document may hold, one key for each limit; docs/limits.md lists them"
    )
    signatures: SignatureSettings = Field(
        SignatureSettings(),
        description="Whose signatures are looked at, whom to trust, and what signs our AppRecs; docs/signatures.md",
    )
    disk_reserve_bytes: int = Field(
        1 << 30, ge=0, description="With less free space beside an SQLite file, nothing more is taken in (503)"
    )
    receipt_within_hours: float = Field(
        96, gt=0, description="An AppRec later than this after GenDate is overdue: an alarm, never a refusal"
    )
    receipt_within_hours_by_type: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict, description="The same for one message type, by its code of list 8279"
    )
    collected_within_hours: float = Field(
        24, gt=0, description="A message that lies in a mailbox longer than this raises an alarm"
    )
    retry_first_seconds: float = Field(
        2, gt=0, description="The first retry comes within this; each later one doubles it"
    )
    retry_longest_seconds: float = Field(43_200, gt=0, description="The longest wait between two attempts")
    retry_give_up_after: int = Field(20, ge=1, description="So many attempts, then an operator decides")
    lease_seconds: float = Field(60, ge=1, description="How long a worker may hold one delivery")
    route_concurrency: int = Field(8, ge=1, le=1000, description="Deliveries under way at once on one route")
    circuit_threshold: int = Field(5, ge=1, description="So many failures in a row let a route rest")
    circuit_pause_seconds: float = Field(30, gt=0, description="How long a route rests before one attempt tries it")
    encryption_keys: tuple[KeySetting, ...] | None = Field(
        None,
        min_length=1,
        description="The master keys of documents at rest, the one to use first and older ones after it: `kind` is "
        "`file` (`path`), `environment` (`variable`) or `pkcs11` (`module`, `token`, `key`, `pin_variable`); when none "
        "is named, the file NAME-master.key beside `key_file`; a file is made with mode 0600 at the first start",
    )
    audit_key_file: Path | None = Field(
        None,
        description="The secret that signs the seals of the audit log, the same on every host; when none is named, "
        "NAME-audit.key beside `key_file`; made with mode 0600 at the first start",
    )
    audit_anchors: tuple[AnchorSetting, ...] | None = Field(
        None,
        description="Where seals are written outside the database: `kind` is `file` (`path`), `http` (`url`, perhaps "
        "`token`) or `syslog` (`address`); when none is named, the file NAME-audit.anchor beside `key_file`",
    )
    audit_seal_seconds: float = Field(
        1, ge=0, le=5, description="The audit log is sealed this often; 0 leaves it unsealed, to measure what it costs"
    )
    calls_allowed: tuple[IPv4Network | IPv6Network, ...] = Field(
        (),
        description="Networks that the exchange may call beside public addresses, such as `10.20.0.0/16`",
    )
    public_url: Url | None = Field(
        None,
        description="The URL under which callers know the exchange, such as `https://exchange.example`; a DPoP "
        "proof is held to it. When none is named, it is what each request says",
    )
    trusted_proxies: tuple[Proxy, ...] = Field(
        (),
        description="Proxies whose word on a caller is taken (X-Forwarded-For, -Proto and -Host, and the certificate): "
        "`unix` for whoever connects by `uds`, or networks such as `10.20.0.0/24`",
    )
    certificate_header: str = Field(
        "X-Client-Certificate",
        pattern="^[A-Za-z][A-Za-z-]+$",
        description="The header in which a trusted proxy hands on the caller's certificate: PEM with percent signs, or "
        "RFC 9440",
    )
    token_issuers: tuple[IssuerSetting, ...] = Field(
        (),
        description="Whose access tokens are taken: `url`, `audience`, perhaps `scopes` (each with the actions that it "
        "leaves), `algorithms`, `metadata_url`, and `sender_constrained` (true: no token without DPoP or certificate)",
    )
    providers: dict[Annotated[str, Field(pattern="^[a-z0-9-]{1,20}$")], ProviderSetting] = Field(
        default_factory=dict,
        description="Identity providers that vouch for people (OpenID Connect), by short names; docs/people.md tells "
        "of the fields",
    )
    signed_in_hours: float = Field(
        12, gt=0, le=24, description="A person who has signed in does so again after this, whatever happens"
    )
    signed_in_idle_minutes: float = Field(
        30, gt=1, le=720, description="A person who has not been seen for this long signs in again"
    )
    heartbeat_seconds: float = Field(15, ge=0.1, description="A silent event stream sends a comment this often")
    adapters: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="Adapter instances by name: `kind`, the kind's own settings, and `her_ids` it may send for",
    )
    routes: tuple[RouteSetting, ...] = Field(
        (), description="Where messages go that do not stay in the mailbox: `her_id`, perhaps `type`, and `to`"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the interface's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What the command line says beats the environment, which beats the file."""
        return init_settings, env_settings, _FileSource(settings_cls)

    def terms(self) -> Terms:
        """Give the numbers that the verbs keep to."""
        return Terms(
            largest_document=self.largest_document_bytes,
            disk_reserve=self.disk_reserve_bytes,
            refusals_kept=timedelta(days=self.refusals_kept_days),
            retention=self.retention(),
            retention_daily=self.retention_daily,
            trial_sender=self.trial_sender_her_id,
            receipt_within=timedelta(hours=self.receipt_within_hours),
            receipt_within_by_type={
                kind: timedelta(hours=hours) for kind, hours in self.receipt_within_hours_by_type.items()
            },
            collected_within=timedelta(hours=self.collected_within_hours),
            lease=timedelta(seconds=self.lease_seconds),
            retry=RetryPolicy(
                first=timedelta(seconds=self.retry_first_seconds),
                longest=timedelta(seconds=self.retry_longest_seconds),
                give_up_after=self.retry_give_up_after,
            ),
            circuit_threshold=self.circuit_threshold,
            circuit_pause=timedelta(seconds=self.circuit_pause_seconds),
            route_concurrency=self.route_concurrency,
            heartbeat=timedelta(seconds=self.heartbeat_seconds),
            seal_every=timedelta(seconds=self.audit_seal_seconds),
            signed_in_longest=timedelta(hours=self.signed_in_hours),
            signed_in_idle=timedelta(minutes=self.signed_in_idle_minutes),
            docs_page=self.docs_page,
            software_version=__version__,
        )

    def document_limits(self) -> Limits:
        """Give the limits that documents are held to."""
        return self.limits.limits(document_bytes=self.largest_document_bytes)

    def audit_key(self) -> Path:
        """Name the file of the secret that signs seals."""
        return self.audit_key_file or self._beside_key("audit.key")

    def anchors(self) -> tuple[AnchorSetting, ...]:
        """Give the anchors; a file when none is named, and none when none shall be."""
        if self.audit_anchors is None:
            return (FileAnchorSetting(kind="file", path=self._beside_key("audit.anchor")),)
        return self.audit_anchors

    def encryption(self) -> tuple[KeySetting, ...]:
        """Give the master keys of documents at rest; a file when none is named."""
        return self.encryption_keys or (FileKeySetting(kind="file", path=self._beside_key("master.key")),)

    def _beside_key(self, name: str) -> Path:
        return self.key_file.with_name(f"{self.key_file.stem}-{name}")

    def edge(self) -> Edge:
        """Say what is believed of what a proxy tells."""
        return edge(self.public_url, self.trusted_proxies, self.certificate_header)

    def routing(self) -> Routes:
        """Give the routes, by receiver and by receiver and type."""
        return Routes(
            by_receiver={r.her_id: r.to for r in self.routes if r.type is None},
            by_receiver_and_type={(r.her_id, r.type): r.to for r in self.routes if r.type is not None},
        )

    def rule_policy(self) -> RulePolicy:
        """Give the policy that the rules keep to."""
        return RulePolicy(tuple(RuleLine(line.rule, line.severity, line.type, line.her_id) for line in self.rules))

    def adapter_settings(self) -> dict[str, dict[str, Any]]:
        """Give each instance's settings as its kind knows them."""
        return {name: {k: v for k, v in given.items() if k != "her_ids"} for name, given in self.adapters.items()}

    def speaks_for(self) -> dict[str, frozenset[int]]:
        """Give the HER-ids in whose names each instance may hand documents in."""
        return {name: frozenset(given.get("her_ids", ())) for name, given in self.adapters.items()}


class _FileSource(PydanticBaseSettingsSource):
    """The TOML file that SAMHANDLING_CONFIG names."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - the interface's
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        named = os.environ.get(CONFIG)
        if not named:
            return {}
        try:
            return tomllib.loads(Path(named).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigurationError(f"{CONFIG} names a file that cannot be read as TOML: {error}") from error


def load(environment: Mapping[str, str] | None = None, **given: Any) -> Settings:
    """Read and check the settings. Raises ConfigurationError that names each setting that is wrong."""
    _refuse_unknown(os.environ if environment is None else environment)
    try:
        return Settings(**given)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'settings'}: {one['msg']}"
            for one in error.errors(include_input=False, include_context=False, include_url=False)
        )
        raise ConfigurationError(f"Settings that cannot be used: {wrong}. The README lists every setting.") from None


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields} | _NOT_SETTINGS
    unknown = sorted(name for name in environment if name.upper().startswith(PREFIX) and name.upper() not in known)
    if unknown:
        raise ConfigurationError(
            f"Unknown settings in the environment: {', '.join(unknown)}. The README lists every setting."
        )

"""The settings of identity providers, which vouch for people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from messaging.errors import ConfigurationError
from messaging.model.access import Role
from messaging.model.provider import Trust


class ProviderSetting(BaseModel):
    """One identity provider (OpenID Connect): whom it vouches for signs in, in the role that a claim gives."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = Field(min_length=1, max_length=60)
    issuer: str = Field(pattern=r"^(https://[^\s?#]+|http://(127\.0\.0\.1|localhost)(:\d+)?[^\s?#]*)$")
    client_id: str = Field(min_length=1)
    client_secret: SecretStr | None = None
    client_key_file: Path | None = None
    scope: str = Field("openid profile", pattern=r"^(.* )?openid( .*)?$")
    algorithms: tuple[Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"], ...] = (
        "RS256",
        "PS256",
        "ES256",
    )
    role_claim: str
    roles: dict[str, Role] = Field(min_length=1)
    organisation_claim: str | None = None
    name_claim: str = "name"
    acr: tuple[str, ...] = ()
    amr: tuple[str, ...] = ()

    def trust(self, name: str) -> Trust:
        """Give what this says of the provider. Raises ConfigurationError when its key cannot be read."""
        kept = self.model_dump(exclude={"client_secret", "client_key_file"})
        secret = self.client_secret.get_secret_value() if self.client_secret else None
        return Trust(name=name, client_secret=secret, client_key=self._key(name), **kept)

    def _key(self, name: str) -> dict[str, Any] | None:
        if self.client_key_file is None:
            return None
        try:
            read = json.loads(self.client_key_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            read = None
        if not isinstance(read, dict) or "d" not in read:
            raise ConfigurationError(f"providers.{name}.client_key_file is no file of one private JWK.")
        return read

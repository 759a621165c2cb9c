"""The operator's settings for whom alarms reach, and how: a mail server, and webhooks."""

from __future__ import annotations

from base64 import b64decode
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from messaging.caller_settings import Url
from messaging.flow.channels import Channels, Mail, Webhook
from messaging.reach import Reach

Address = Annotated[str, Field(pattern=r"^[^@\s,;<>]+@[^@\s,;<>]+$", max_length=200)]


class MailSetting(BaseModel):
    """The server that takes our e-mail (`host`, `port`), whom it is from, and how it is encrypted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(min_length=1)
    port: int = Field(587, gt=0, le=65535)
    sender: Address
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password: SecretStr | None = None

    def server(self) -> Mail:
        """Give the server that this names."""
        password = self.password.get_secret_value() if self.password else None
        return Mail(self.host, self.port, self.sender, security=self.security, user=self.user, password=password)


def _key(secret: SecretStr) -> bytes:
    """Read a secret as Standard Webhooks writes it; nothing of what is no such secret."""
    name, encoded = secret.get_secret_value()[:6], secret.get_secret_value()[6:]
    try:
        return b64decode(encoded, validate=True) if name == "whsec_" else b""
    except ValueError:
        return b""


class WebhookSetting(BaseModel):
    """A URL that alarms are posted to, signed with `secret`; with a `her_id` only that party's rules may name it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Url
    secret: SecretStr
    her_id: int | None = Field(None, gt=0)

    @field_validator("secret")
    @classmethod
    def _is_a_key(cls, value: SecretStr) -> SecretStr:
        if not 24 <= len(_key(value)) <= 64:  # noqa: PLR2004 - the lengths that the convention allows
            raise ValueError("must be whsec_ and then 24 to 64 random bytes in base64")
        return value


class AlarmSettings(BaseSettings):
    """A part of the settings, and what is made of it."""

    mail: MailSetting | None = Field(
        None,
        description="The server that takes e-mail about alarms: `host`, `port` (587), `sender`, `security` "
        "(`starttls`, `tls`, `none`), perhaps `user` and `password`; with none named, nobody is told by e-mail",
    )
    alarm_mail_to: tuple[Address, ...] = Field(
        (), max_length=10, description="Who gets the alarms of the exchange as a whole whose rules name nobody"
    )
    alarm_webhooks: dict[Annotated[str, Field(pattern="^[a-z0-9-]{1,40}$")], WebhookSetting] = Field(
        default_factory=dict,
        description="Where alarms may be posted, by short names: `url`, `secret` (which signs them), perhaps `her_id`",
    )

    def channels(self, reach: Reach) -> Channels:
        """Give the ways in which people are told."""
        mail = self.mail.server() if self.mail else None
        webhooks = {
            name: Webhook(one.url, _key(one.secret), her_id=one.her_id, reach=reach)
            for name, one in self.alarm_webhooks.items()
        }
        return Channels(mail, webhooks, self.alarm_mail_to)

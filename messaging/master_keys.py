"""Reads the master keys that the settings name, wherever they lie."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Sequence

from messaging.errors import ConfigurationError
from messaging.keys import LocalKey, MasterKey
from messaging.private_files import SECRET_BYTES, kept_secret, read_secret
from messaging.settings import EnvironmentKeySetting, FileKeySetting, KeySetting, TokenKeySetting

_SETTING = "encryption_keys"
_NO_OTHER = "restore it from the backup of the keys; without it the documents cannot be read"


def master_keys(settings: Sequence[KeySetting], *, make: bool) -> list[MasterKey]:
    """Read them in their order; `make` a file that is not there, because nothing is encrypted yet.

    Raises ConfigurationError that says which cannot be used.
    """
    keys = [_master_key(one, make=make and not number) for number, one in enumerate(settings)]
    if len({key.id for key in keys}) < len(keys):
        raise ConfigurationError(f"{_SETTING} names the same master key twice; name each one once.")
    return keys


def _master_key(setting: KeySetting, *, make: bool) -> MasterKey:
    match setting:
        case FileKeySetting(path=path):
            read = read_secret if make else kept_secret
            return LocalKey(read(path, _SETTING, _NO_OTHER))
        case EnvironmentKeySetting(variable=variable):
            return LocalKey(_from_environment(variable))
        case TokenKeySetting():
            from messaging.keys.token import TokenKey  # its library is needed by those only who have a token

            pin = os.environ.get(setting.pin_variable)
            if not pin:
                raise ConfigurationError(f"{_SETTING}: {setting.pin_variable} is not set; it holds the token's PIN.")
            return TokenKey(str(setting.module), token=setting.token, key=setting.key, pin=pin)


def _from_environment(variable: str) -> bytes:
    try:
        secret = base64.b64decode(os.environ.get(variable, ""), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if len(secret) != SECRET_BYTES:
        raise ConfigurationError(
            f"{_SETTING}: {variable} does not hold {SECRET_BYTES} bytes in Base64. Set it; "
            "`openssl rand -base64 32` makes a new one."
        )
    return secret

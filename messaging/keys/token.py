"""A master key in a hardware token (PKCS#11 v2.40), which wraps and unwraps there and never gives the key out."""

from __future__ import annotations

from typing import Any

from messaging.errors import ConfigurationError
from messaging.keys.master import NAMED_BY, WrongKey, named

try:
    import pkcs11
    from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
except ImportError as error:  # pragma: no cover - what is installed decides
    raise ConfigurationError(
        "encryption_keys names a PKCS#11 token, and its library is not installed; install samhandling[pkcs11]."
    ) from error

_READABLE = {Attribute.EXTRACTABLE: True, Attribute.SENSITIVE: False, Attribute.TOKEN: False}
"""The keys that the token wraps live in its memory for a moment only; the master key itself never comes out."""


def _opened(token: Any, pin: str) -> Any:
    try:
        return token.open(user_pin=pin)
    except pkcs11.UserAlreadyLoggedIn:  # by another key of the same token: the login is the process's
        return token.open()


class TokenKey:
    """An AES key of 256 bits in a token, found by its label."""

    def __init__(self, module: str, *, token: str, key: str, pin: str) -> None:
        """Open the token and find the key. Raises ConfigurationError."""
        try:
            self._session = _opened(pkcs11.lib(module).get_token(token_label=token), pin)
            self._key: Any = self._session.get_key(ObjectClass.SECRET_KEY, KeyType.AES, label=key)
            self.id = named(self.wrap(NAMED_BY))
        except (pkcs11.PKCS11Error, RuntimeError, OSError) as error:
            raise ConfigurationError(
                f"encryption_keys: the key {key!r} of the token {token!r} cannot be used "
                f"({type(error).__name__}). It must be an AES key of 256 bits that may wrap and unwrap."
            ) from error

    def wrap(self, key: bytes) -> bytes:
        """Wrap a key."""
        held = self._session.create_object(
            {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: KeyType.AES, Attribute.VALUE: key} | _READABLE
        )
        try:
            return bytes(self._key.wrap_key(held, mechanism=Mechanism.AES_KEY_WRAP))
        finally:
            held.destroy()

    def unwrap(self, wrapped: bytes) -> bytes:
        """Give back the key that was wrapped. Raises WrongKey."""
        try:
            held = self._key.unwrap_key(
                ObjectClass.SECRET_KEY, KeyType.AES, wrapped, mechanism=Mechanism.AES_KEY_WRAP, template=_READABLE
            )
        except pkcs11.PKCS11Error as error:
            raise WrongKey from error
        try:
            return bytes(held[Attribute.VALUE])
        finally:
            held.destroy()

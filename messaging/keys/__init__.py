"""Keys that documents are encrypted with: master keys outside the database, and the keys that they wrap inside it."""

from messaging.keys.master import LocalKey, MasterKey, WrongKey
from messaging.keys.payload import About, DamagedPayload, Payload, Sealed
from messaging.keys.vault import LEGACY, PATIENT, PAYLOAD, EncryptionKey, MissingKey, Vault

__all__ = [
    "LEGACY",
    "PATIENT",
    "PAYLOAD",
    "About",
    "DamagedPayload",
    "EncryptionKey",
    "LocalKey",
    "MasterKey",
    "MissingKey",
    "Payload",
    "Sealed",
    "Vault",
    "WrongKey",
]

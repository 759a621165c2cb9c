"""Samhandling: the message exchange for discharge and referral messages."""

__version__ = "0.1.0"

"""Addresses of the network: whether one lies within networks in CIDR notation, or on this machine."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network


def is_within(address: str, networks: Iterable[str]) -> bool:
    """Tell whether an address lies within one of the networks; what is no address lies nowhere.

    An IPv4 address that came in the clothes of IPv6 (RFC 4291 chapter 2.5.5.2) counts as what it is.
    """
    read = _read(address)
    return read is not None and any(read in _network(network) for network in networks)


def is_here(host: str) -> bool:
    """Tell whether the name or the address of a host means this machine, so that nothing crosses a network."""
    read = _read(host)
    return host == "localhost" or (read is not None and read.is_loopback)


@lru_cache(maxsize=4096)
def _read(address: str) -> IPv4Address | IPv6Address | None:
    try:
        read = ip_address(address)
    except ValueError:
        return None
    return (read.ipv4_mapped or read) if isinstance(read, IPv6Address) else read


@lru_cache(maxsize=1024)
def _network(network: str) -> IPv4Network | IPv6Network:
    return ip_network(network)

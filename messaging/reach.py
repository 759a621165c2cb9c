"""Whom the exchange may call: public addresses, and of the others only those that the operator has named.

A URL in the settings must not become a way into the network behind us (OWASP: server-side request forgery).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Tell the addresses of a host name. Raises OSError when it has none."""

SETTING = "SAMHANDLING_CALLS_ALLOWED"
_PATIENCE = 5.0
"""Seconds that a name gets to resolve while settings are checked; whoever is away then is checked when called."""

_CARRY_IPV4 = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"), ip_network("::/96"))
"""NAT64 (RFC 6052, RFC 8215) and the old compatible addresses: the last 32 bits are the address that is meant."""
_NOT_PUBLIC = (ip_network("168.63.129.16/32"), ip_network("192.0.0.0/24"), ip_network("fec0::/10"))
"""Public by number, and yet clouds' own ways into their machines, or the site-local addresses of old."""


class OutOfReach(OSError):
    """The address is none that the exchange may call; the words say what to do, and hold no more than host and port."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, slots=True)
class Reach:
    """The networks beside the public ones that may be called."""

    allowed: tuple[Network, ...] = ()

    @classmethod
    def to(cls, *networks: str) -> Reach:
        """Read networks as CIDR. Raises ValueError."""
        return cls(tuple(ip_network(network) for network in networks))

    def permits(self, address: Address) -> bool:
        """Tell whether an address may be called."""
        meant = _meant(address)
        if any(
            one in network for network in self.allowed for one in {address, meant} if one.version == network.version
        ):
            return True
        if meant.is_private or meant.is_reserved or meant.is_multicast or not meant.is_global:
            return False
        return not any(meant in network for network in _NOT_PUBLIC)

    async def addresses(self, host: str, port: int, resolve: Resolve = resolve) -> list[str]:
        """Resolve a host, once, to the addresses that may be called. Raises OutOfReach, or OSError when it has none."""
        found = await resolve(host, port)
        permitted = [one for one in found if self.permits(ip_address(one))]
        if found and not permitted:
            raise OutOfReach(
                f"{host} is an address of a private or special network; if it shall be called, name its network in "
                f"{SETTING}"
            )
        return permitted

    async def check(self, url: str, resolve: Resolve = resolve) -> None:
        """Check a URL before it is ever called. Raises ValueError, in words that repeat no more of it than the host.

        A name that does not resolve just now passes: it is checked again, whenever it is called.
        """
        parts = parts_of(url)
        try:
            async with asyncio.timeout(_PATIENCE):
                await self.addresses(str(parts.hostname), parts.port or _port(parts), resolve)
        except OutOfReach as error:
            raise ValueError(str(error)) from None
        except (OSError, UnicodeError):
            return


PUBLIC = Reach()
"""Public addresses and no others."""


def parts_of(url: str) -> SplitResult:
    """Split a URL that may be called. Raises ValueError when its form already says that it may not."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("the URL must be http:// or https:// and name a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the URL may carry no user and no password")
    return parts


def _port(parts: SplitResult) -> int:
    return 443 if parts.scheme == "https" else 80


def _meant(address: Address) -> Address:
    """Tell where an IPv6 address that carries an IPv4 address leads."""
    if isinstance(address, IPv4Address):
        return address
    inside: Iterable[IPv4Address | None] = (address.ipv4_mapped, address.sixtofour, (address.teredo or (None, None))[1])
    carried = next((one for one in inside if one is not None), None)
    if carried is None and any(address in network for network in _CARRY_IPV4) and int(address) > 1:
        carried = IPv4Address(int(address) & 0xFFFFFFFF)
    return carried or address

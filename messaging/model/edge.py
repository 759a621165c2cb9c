"""The edge: what stands between the network and us, and whose word on a caller is taken."""

from __future__ import annotations

from dataclasses import dataclass

from messaging.model.address import is_within


@dataclass(frozen=True, slots=True)
class Edge:
    """Under which URL we are called, and which proxies are believed when they say who calls through them."""

    public_url: str | None = None
    """As callers know us, without a slash at the end. None: as each request says."""
    networks: tuple[str, ...] = ()
    """Whoever connects from these is a proxy of ours."""
    unix: bool = False
    """Whoever connects by the Unix socket is a proxy of ours."""
    certificate_header: str = "X-Client-Certificate"

    def trusts(self, peer: str | None) -> bool:
        """Tell whether the other end of a connection is a proxy of ours; None is the Unix socket."""
        return self.unix if peer is None else is_within(peer, self.networks)

    def source(self, peer: str | None, forwarded: str) -> str:
        """Tell where a call came from: the last hop of X-Forwarded-For that is no proxy of ours.

        What stands before that hop was written by others, and is not believed.
        """
        if not self.trusts(peer):
            return peer or ""
        hops = [hop for part in forwarded.split(",") if (hop := part.strip())]
        return next((hop for hop in reversed(hops) if not is_within(hop, self.networks)), peer or "")

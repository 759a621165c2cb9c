"""What a request carries to say who calls, read from its headers and nowhere else: never from the URL or the body."""

from __future__ import annotations

from fastapi import Request, Security
from fastapi.security import HTTPBearer

from messaging.api.cookies import SESSION
from messaging.flow.exchange import Exchange
from messaging.model.credentials import Credentials
from messaging.model.edge import Edge

CSRF_HEADER = "X-CSRF-Token"

DOCUMENTED = Security(
    HTTPBearer(
        scheme_name="ApiKey",
        bearerFormat="id.secret",
        description="The key as issued. Where the operator has set it up, an access token bound by DPoP (RFC 9449), or "
        "a client certificate, takes its place.",
        auto_error=False,
    )
)
"""Says in OpenAPI that a key is needed; the door itself asks for it, before the body is read."""


def credentials_of(request: Request, exchange: Exchange) -> Credentials:
    """Take the credentials out of a request; what a proxy says of the caller counts only where the proxy is ours."""
    headers, edge, peer = request.headers, exchange.edge, _peer(request)
    url = _url(request, edge, peer)
    certificates = headers.getlist(edge.certificate_header) if edge.trusts(peer) else []
    return Credentials(
        now=exchange.clock(),
        method=request.method,
        url=url,
        source=edge.source(peer, ",".join(headers.getlist("X-Forwarded-For"))),
        authorization=tuple(headers.getlist("Authorization")),
        proofs=tuple(headers.getlist("DPoP")),
        certificate=",".join(certificates) or None,  # two of them are none that can be read
        session=request.cookies.get(SESSION.name(url)),
        csrf=headers.get(CSRF_HEADER),
        origin=headers.get("Origin"),
        fetch_site=headers.get("Sec-Fetch-Site"),
    )


def _peer(request: Request) -> str | None:
    """Tell the other end of the connection: its address, None on the Unix socket, empty when it has hung up."""
    server = request.scope.get("server")
    if server is not None and server[1] is None and server[0].startswith("/"):
        return None
    return request.client.host if request.client else ""


def _url(request: Request, edge: Edge, peer: str | None) -> str:
    """Tell the URL as the client called it, without the query."""
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    path = raw.decode("latin-1").partition("?")[0]
    if edge.public_url is not None:
        return edge.public_url + path
    scheme, host = request.scope["scheme"], request.headers.get("Host", "")
    if edge.trusts(peer):
        scheme = request.headers.get("X-Forwarded-Proto", scheme)
        host = request.headers.get("X-Forwarded-Host", host)
    return f"{scheme}://{host}{path}"

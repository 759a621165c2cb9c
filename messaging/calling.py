"""Calling others by HTTP: what is resolved is checked and then connected to, and nobody sends us elsewhere."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import httpcore

from messaging import http
from messaging.reach import OutOfReach, Reach, Resolve, resolve

_MOST_CONNECTIONS = 100
_KEPT_CONNECTIONS = 0
"""Each request has a connection of its own: on one that is kept, an answer that nobody asked for would be taken as the
answer to the next request, and a message for which that says 200 would never have arrived."""
_NEXT_AFTER = 5.0
"""Seconds that an address gets to answer while there is another one to try."""


def caller(
    reach: Reach,
    *,
    timeout: float | None,
    headers: Mapping[str, str] | None = None,
    ca_file: str | None = None,
    proxy: str | None = None,
    resolve: Resolve = resolve,
) -> http.AsyncClient:
    """Make an HTTP client that calls only what is within reach.

    `timeout` is in seconds for each step, None where the caller has a deadline of its own. No redirect is followed, and
    neither proxies nor credentials are taken from the environment. With a `proxy` it is the proxy that must be within
    reach, and that decides whom it calls.
    """
    return http.AsyncClient(
        transport=_Guarded(reach, resolve, _trusting(ca_file), proxy),
        headers=headers,
        timeout=timeout,
        follow_redirects=False,
        trust_env=False,
    )


def _trusting(ca_file: str | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file) if ca_file else http.create_ssl_context(trust_env=False)


class _Guarded(http.AsyncBaseTransport):
    """Requests over a pool of connections, each of them to an address that was checked."""

    def __init__(self, reach: Reach, resolve: Resolve, trusted: ssl.SSLContext, proxy: str | None) -> None:
        options: dict[str, Any] = {
            "ssl_context": trusted,
            "max_connections": _MOST_CONNECTIONS,
            "max_keepalive_connections": _KEPT_CONNECTIONS,
            "network_backend": _Network(reach, resolve),
        }
        if proxy is None:
            self._pool = httpcore.AsyncConnectionPool(**options)
        else:
            through = http.Proxy(proxy)
            self._pool = httpcore.AsyncHTTPProxy(str(through.url), proxy_auth=through.raw_auth, **options)

    async def handle_async_request(self, request: http.Request) -> http.Response:
        """Send one request. Raises HTTPError, with OutOfReach as its cause when the address may not be called."""
        url = httpcore.URL(
            scheme=request.url.raw_scheme, host=request.url.raw_host, port=request.url.port, target=request.url.raw_path
        )
        sent = httpcore.Request(
            request.method, url, headers=request.headers.raw, content=request.stream, extensions=request.extensions
        )
        try:
            answer = await self._pool.handle_async_request(sent)
        except _FAILURES as error:
            raise _told(error) from error
        return http.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._pool.aclose()


class _Body(http.AsyncByteStream):
    """What an answer holds, as it comes."""

    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._answer.aiter_stream():
                yield part
        except _FAILURES as error:
            raise _told(error) from error

    async def aclose(self) -> None:
        """Let go of the connection."""
        await self._answer.aclose()


class _Network(httpcore.AsyncNetworkBackend):
    """Connects to the address that was checked: the name is resolved once, so no second answer can be another one."""

    def __init__(self, reach: Reach, resolve: Resolve) -> None:
        self._reach, self._resolve = reach, resolve
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first permitted address that answers."""
        try:
            found = await self._reach.addresses(host, port, self._resolve)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        failed: Exception = httpcore.ConnectError("the name has no address")
        for left, address in zip(reversed(range(len(found))), found, strict=True):
            patience = _NEXT_AFTER if left and (timeout is None or timeout > _NEXT_AFTER) else timeout
            try:
                return await self._sockets.connect_tcp(address, port, patience, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed


_FAILURES = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, httpcore.ProxyError)


def _told(error: Exception) -> http.HTTPError:
    """Say it in the client library's own exceptions, which bear the same names."""
    kind: type[http.TransportError] = getattr(http, type(error).__name__, http.TransportError)
    return kind(str(error))


def out_of_reach(error: BaseException | None) -> OutOfReach | None:
    """Find out whether a call failed because the address may not be called."""
    while error is not None and not isinstance(error, OutOfReach):
        error = error.__cause__ or error.__context__
    return error

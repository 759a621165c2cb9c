"""The one place that names the HTTP client library, so that its maintained successor can take its place in one line."""

from httpx import (
    ASGITransport,
    AsyncClient,
    Client,
    ConnectError,
    HTTPError,
    InvalidURL,
    Limits,
    Request,
    Response,
    Timeout,
    TimeoutException,
)

__all__ = [
    "ASGITransport",
    "AsyncClient",
    "Client",
    "ConnectError",
    "HTTPError",
    "InvalidURL",
    "Limits",
    "Request",
    "Response",
    "Timeout",
    "TimeoutException",
]

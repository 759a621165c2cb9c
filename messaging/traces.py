"""Traces (OpenTelemetry, an extra): how long each request, commit and attempt took, by ids and codes alone.

Where no collector is named, nothing is measured and the library is not even loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

from messaging.errors import ConfigurationError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

_SECONDS = 3
"""So long a collector gets for one batch; when the process ends, so long it waits for one that is away."""
_PARENT = (b"traceparent", b"tracestate")
"""The header fields that say of which trace a request is a part (W3C Trace Context)."""


class Span(Protocol):
    """A stretch of work that is measured, or nothing in its place."""

    def set_attribute(self, key: str, value: Any) -> None:
        """Note an id, a code or a count; nothing else may stand there."""

    def update_name(self, name: str) -> None:
        """Call it otherwise than it was called at the beginning."""


class _Unmeasured:
    def set_attribute(self, key: str, value: Any) -> None:
        """Note nothing."""

    def update_name(self, name: str) -> None:
        """Call nothing anything."""


_UNMEASURED = nullcontext(_Unmeasured())


class _Traces:
    tracer: Tracer | None = None


@contextmanager
def sent_to(endpoint: str | None, *, version: str) -> Iterator[None]:
    """Send traces to a collector (OTLP over HTTP) while the block lasts; to nobody when none is named.

    Raises ConfigurationError when the extra is not installed.
    """
    if endpoint is None:
        yield
        return
    provider = _provider(endpoint, version)
    _Traces.tracer = provider.get_tracer("samhandling", version)
    try:
        yield
    finally:
        _Traces.tracer = None
        provider.shutdown()


def _provider(endpoint: str, version: str) -> TracerProvider:
    try:
        import requests
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise ConfigurationError(
            "traces_endpoint needs the extra `samhandling[traces]`; install it, or leave the setting out."
        ) from error
    session = requests.Session()
    session.trust_env, session.max_redirects = False, 0
    resource = Resource({"service.name": "samhandling", "service.version": version})
    provider = TracerProvider(resource=resource)
    exporter = OTLPSpanExporter(endpoint=endpoint, timeout=_SECONDS, session=session)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def span(name: str, **attributes: str | int) -> AbstractContextManager[Span]:
    """Measure a stretch of work within the one that is under way; errors are never described in it."""
    tracer = _Traces.tracer
    if tracer is None:
        return _UNMEASURED
    return tracer.start_as_current_span(
        name,
        attributes={f"samhandling.{key}": value for key, value in attributes.items()},
        record_exception=False,
        set_status_on_exception=False,
    )


def request_span(headers: Iterable[tuple[bytes, bytes]]) -> AbstractContextManager[Span]:
    """Measure a request, as a part of the trace that its header names."""
    tracer = _Traces.tracer
    if tracer is None:
        return _UNMEASURED
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carried = {name.decode(): value.decode("latin-1") for name, value in headers if name in _PARENT}
    return tracer.start_as_current_span(
        "request",
        context=TraceContextTextMapPropagator().extract(carried),
        kind=SpanKind.SERVER,
        record_exception=False,
        set_status_on_exception=False,
    )

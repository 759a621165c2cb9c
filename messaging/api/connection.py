"""A connection that does not wait for ever: deadlines of our own, since no server has them, and answers in our words.

A subclass of uvicorn's httptools protocol: httptools refuses what h11 would read in one of two ways.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, cast
from uuid import uuid4

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from messaging.api.line import Line, Reading, Shared, has_come
from messaging.api.problems import bare_answer
from messaging.logs import logger_of
from messaging.model.log import LogEvent
from messaging.model.manners import Ended, Manners

logger = logger_of(__name__)

_HOST = b"host"
_A_MOMENT = 0.01


class _Unwanted(Exception):
    """Raised within the parser, which gives up on the request."""


class Connection(HttpToolsProtocol):
    """One client's connection, and how long it may take over each part of a request.

    The next deadline is that of the head, from the first byte (or from the connection) to the blank line; then that of
    the body; an answer under way has none. While we do not read, because a request waits for its turn, no time passes.
    """

    def __init__(self, manners: Manners, **given: Any) -> None:
        super().__init__(**given)
        self.manners = manners
        self._shared = cast("Shared", self.server_state)
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None
        self._in_head = False
        self._head_came = 0
        self._head_size = 0
        self._head_fields = 0
        self._reading: Reading | None = None
        self._deaf = False
        self._refusal = (HTTPStatus.BAD_REQUEST, Ended.MALFORMED)

    # What the event loop tells

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin: the head of a first request has its time from now on."""
        super().connection_made(transport)
        self._await_head()
        if self._shared.leaving:
            self.shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        super().connection_lost(exc)
        for timer in (self._timer, self._writing):
            if timer is not None:
                timer.cancel()
        self._unset_keepalive_if_required()

    def data_received(self, data: bytes) -> None:
        """Parse what has come, and see to it that there is a deadline for what has not."""
        if self._deaf:
            return
        self._head_came += len(data)
        super().data_received(data)
        self._see_to_a_deadline()

    def _see_to_a_deadline(self) -> None:
        if self._deaf or self.transport.is_closing():
            return
        if self._in_head and self._head_came - len(self.url) > self.manners.head_bytes:
            self._give_up(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, Ended.LARGE_HEAD)
        elif self._reading is not None:
            self._await_body(self._reading)
        elif self._in_head or not self._answering():
            self._await_head()

    def pause_writing(self) -> None:
        """Begin to watch whether the client takes what it asked for."""
        super().pause_writing()
        self._watch_writing(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """The client has taken what there was."""
        super().resume_writing()
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None

    def shutdown(self) -> None:
        """Let what is under way finish, and say in its answer that the connection then ends: the server stops.

        On a connection that only waits a request may be on its way. One that comes soon is answered in the same way.
        """
        self.timeout_keep_alive = cast("int", self.manners.farewell_seconds)
        if self._answering():
            if not self.cycle.response_started:
                self.cycle.keep_alive = False
        elif self._deaf:
            self._stop_waiting()
            self._timer = self.loop.call_later(self.manners.farewell_seconds, self.transport.close)
        else:
            self._keep_for(self.manners.farewell_seconds)

    # What the parser tells

    def on_message_begin(self) -> None:
        """Count from here what the head takes."""
        super().on_message_begin()
        self._in_head, self._head_size, self._head_fields = True, 0, 0

    def on_url(self, url: bytes) -> None:
        """Take a piece of the request's target."""
        super().on_url(url)
        if len(self.url) > self.manners.url_bytes:
            self._refusal = (HTTPStatus.REQUEST_URI_TOO_LONG, Ended.LARGE_HEAD)
            raise _Unwanted

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field."""
        super().on_header(name, value)
        self._head_fields += 1
        self._head_size += len(name) + len(value)
        if self._head_fields > self.manners.head_fields or self._head_size > self.manners.head_bytes:
            self._refusal = (HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, Ended.LARGE_HEAD)
            raise _Unwanted

    def on_headers_complete(self) -> None:
        """Begin with a request whose head is whole and names one host (RFC 9112 chapter 3.2)."""
        hosts = sum(name == _HOST for name, _ in self.headers)
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() == "1.1"):
            raise _Unwanted
        self._in_head, self._head_came = False, 0
        self._stop_waiting()
        super().on_headers_complete()
        if self._shared.leaving:
            self.cycle.keep_alive = False
        self._reading = Reading(self.loop.time())
        self.cycle.transport = cast("asyncio.Transport", Line(self.transport, self._leave))  # all that it uses of one

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        super().on_body(body)
        if self._reading is not None:
            self._reading.take(len(body), self.loop.time(), paused=self.flow.read_paused)

    def on_message_complete(self) -> None:
        """The request is whole."""
        super().on_message_complete()
        self._reading, self._head_came = None, 0
        self._stop_waiting()

    def on_response_complete(self) -> None:
        """Go on with the next request, if it has begun to come; else the idle time runs."""
        if self._deaf:
            return
        super().on_response_complete()
        if self._in_head and not self.transport.is_closing():
            self._await_head()

    # Deadlines

    def _answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request, whatever its type says
        return cycle is not None and not cycle.response_complete

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _await_head(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.manners.head_seconds, self._head_is_late)

    def _head_is_late(self) -> None:
        self._timer = None
        if self._head_came or self._in_head:
            self._give_up(HTTPStatus.REQUEST_TIMEOUT, Ended.SLOW_HEAD)
        elif not self.transport.is_closing():
            self._tell(Ended.IDLE)
            self.transport.close()

    def _keep_for(self, seconds: float) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        """End a connection on which no further request has come; one that arrives in this moment is still taken."""
        if self.transport.is_closing() or self._in_head or self._answering():
            return
        if has_come(self.transport):
            self._keep_for(_A_MOMENT)
            return
        self.manners.ended[Ended.IDLE] += 1  # the usual end of any connection: counted, and no line of the log
        self.transport.close()

    def _await_body(self, reading: Reading) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.manners.body_seconds, self._see_body, reading)

    def _see_body(self, reading: Reading) -> None:
        """Look whether a body has come fast enough, and when to look again."""
        self._timer = None
        if reading is not self._reading or self.transport.is_closing():
            return
        now = self.loop.time()
        stopped = self.flow.read_paused or self.cycle.waiting_for_100_continue
        left = reading.seconds_left(now, self.manners, stopped=stopped)
        if left > 0:
            self._timer = self.loop.call_later(left, self._see_body, reading)
        else:
            self._give_up(HTTPStatus.REQUEST_TIMEOUT, Ended.SLOW_BODY)

    def _watch_writing(self, left: int) -> None:
        if self._writing is None:
            self._writing = self.loop.call_later(self.manners.body_seconds, self._see_writing, left)

    def _see_writing(self, before: int) -> None:
        self._writing = None
        left = self.transport.get_write_buffer_size()
        if before - left < self.manners.slowest_bytes * self.manners.body_seconds and left:
            self._tell(Ended.SLOW_READER)
            self.transport.abort()
        else:
            self._watch_writing(left)

    # Ends

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the interface's; its words are for nobody
        """Refuse what the parser could not read, or was told not to."""
        status, ended = self._refusal
        self._give_up(status, ended)

    def _give_up(self, status: HTTPStatus, ended: Ended) -> None:
        """Refuse a request that is not whole, and end the connection; an earlier one that is whole gets its answer."""
        if self.transport.is_closing():
            return
        self._stop_waiting()
        request_id = str(uuid4())
        self._tell(ended, status=status.value, request_id=request_id)
        owed = self._answering()
        if owed and self._reading is None:
            self._deaf = True
            self.cycle.keep_alive = False
        elif self._reading is not None and (not owed or self.cycle.response_started or self.pipeline):
            self.transport.close()
        else:
            if owed:
                self._disconnect(self.cycle)
            self.transport.write(bare_answer(status, request_id))
            self._leave()

    def _unsupported_upgrade_warning(self) -> None:
        """Answer in HTTP/1.1 whoever wants to speak something else, and end the connection."""
        self.cycle.keep_alive = False

    def _disconnect(self, cycle: RequestResponseCycle) -> None:
        """Tell the application that nobody listens any more."""
        cycle.disconnected = True
        cycle.message_event.set()

    def _leave(self) -> None:
        """Close; while a body still comes, let it run into the void for a moment, or the answer is lost on the way."""
        unread = self._reading is not None or self._in_head
        if not unread or self._deaf or self.pipeline or not self.transport.can_write_eof():
            self.transport.close()
            return
        self._deaf = True
        self.flow.resume_reading()
        self.transport.write_eof()
        self._stop_waiting()
        self._timer = self.loop.call_later(self.manners.linger_seconds, self.transport.close)

    def _tell(self, ended: Ended, **more: Any) -> None:
        self.manners.ended[ended] += 1
        logger.info(LogEvent.CONNECTION_ENDED, reason=ended.value, count=self.manners.ended[ended], **more)

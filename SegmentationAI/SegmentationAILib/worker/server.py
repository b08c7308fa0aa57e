"""The worker as a web application: tokens, size limits, calls, streams of events.

The same application serves the host on this machine, as its child, and other machines, by
``segmentationai serve``. It answers what `protocol` lists and refuses everything else.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, Final

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ..core.memory_budget import memory_budget_bytes
from .exchange import REQUEST
from .frame import Frame, frame_of_bytes
from .office import Office
from .protocol import CALL_NAMES, WorkerError
from .served_call import ServedCall
from .tokens import Tokens

UNAUTHORIZED, NOT_FOUND, TOO_LARGE, BAD, FULL = 401, 404, 413, 400, 503
PIECE_BYTES: Final = 1 << 20
# A refused body is not read to its end: the connection closes instead.
CLOSE: Final = {"Connection": "close"}


def make_application(office: Office, tokens: Tokens, max_body_bytes: int) -> FastAPI:
    """Return the application.

    Args:
        office: Does the calls.
        tokens: Who may call.
        max_body_bytes: The largest body that is read.
    """
    application = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    @application.get("/health")
    async def health() -> dict[str, Any]:
        return {**office.health(), "max_body_bytes": max_body_bytes}

    @application.post("/calls/{name}")
    async def begin(name: str, request: Request) -> Response:
        if name not in CALL_NAMES:
            raise HTTPException(NOT_FOUND, "There is no such call.", CLOSE)
        frame = await _read_frame(request, office, max_body_bytes)
        try:
            call = office.begin(name, frame, request.state.owner)
        except WorkerError as error:
            raise HTTPException(FULL, str(error)) from error
        return _Events(call.lines(), lambda: None if call.is_finished else office.cancel(call))

    @application.get("/calls/{call_id}/result")
    async def result(call_id: str, request: Request) -> Response:
        call = _found(office, call_id, request)
        if not call.result:
            raise HTTPException(NOT_FOUND, "This call has no result here.")
        office.forget(call)
        size = str(sum(len(chunk) for chunk in call.result))
        return StreamingResponse(
            _pieces(call.result), 200, {"Content-Length": size}, "application/octet-stream"
        )

    @application.delete("/calls/{call_id}")
    async def cancel(call_id: str, request: Request) -> dict[str, Any]:
        office.cancel(_found(office, call_id, request))
        return {"id": call_id}

    application.add_middleware(_Gate, tokens=tokens)
    return application


class _Gate:
    """Lets nobody in without a token, before anything of the request's body is read."""

    def __init__(self, application: ASGIApp, tokens: Tokens) -> None:
        self._application, self._tokens = application, tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if (scope["method"], scope["path"]) != ("GET", "/health"):
            given = [value for name, value in scope["headers"] if name == b"authorization"]
            owner = self._tokens.owner(given[0]) if len(given) == 1 else None
            if owner is None:
                headers = {"WWW-Authenticate": "Bearer", **CLOSE}
                detail = {"detail": "The token is missing or wrong."}
                await JSONResponse(detail, UNAUTHORIZED, headers)(scope, receive, send)
                return
            scope.setdefault("state", {})["owner"] = owner
        await self._application(scope, receive, send)


class _Events(StreamingResponse):
    """A stream of events; when the host hangs up, the call is ended."""

    def __init__(self, lines: AsyncIterator[bytes], at_end: Callable[[], None]) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(lines, 200, headers, "application/x-ndjson")
        self._at_end = at_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._at_end()


async def _read_frame(request: Request, office: Office, max_body_bytes: int) -> Frame:
    # A body that would not fit the memory is as much too large as one that passes the limit.
    most = min(max_body_bytes, memory_budget_bytes())
    declared = request.headers.get("content-length", "0")
    if not declared.isdigit() or int(declared) > most:
        raise _too_large(declared, most)
    # Grown by what has come and not by what was declared: an announcement allocates nothing.
    body = bytearray()
    async for piece in request.stream():
        if len(body) + len(piece) > most:
            raise _too_large("more", most)
        body += piece
    try:
        frame = frame_of_bytes(body)
        key = frame.header.get("mapped")
        if key is None:
            return frame
        if office.exchange is None:
            raise WorkerError("This server takes volumes as bodies only.")
        mapped = frame_of_bytes(office.exchange.take(str(key), REQUEST, most))
    except WorkerError as error:
        raise HTTPException(BAD, str(error)) from error
    return Frame({**mapped.header, "mapped": str(key)}, mapped.arrays)


def _too_large(found: str, most: int) -> HTTPException:
    sentence = f"The body has {found[:20]} bytes; this server takes {most} at most now."
    return HTTPException(TOO_LARGE, sentence, CLOSE)


def _found(office: Office, call_id: str, request: Request) -> ServedCall:
    call = office.find(call_id, request.state.owner)
    if call is None:
        raise HTTPException(NOT_FOUND, "There is no such call.")
    return call


def _pieces(chunks: Sequence[memoryview]) -> Iterator[bytes]:
    for chunk in chunks:
        for start in range(0, len(chunk), PIECE_BYTES):
            yield bytes(chunk[start : start + PIECE_BYTES])

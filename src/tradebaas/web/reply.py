"""JSON in and out: answers as msgspec writes them (Decimals as strings), errors in one shape."""

from typing import TypeVar

import msgspec
from quart import Response, request

T = TypeVar("T")
MAX_BODY_BYTES = 64 * 1024


class BadBody(Exception):
    """The body of a request is not what the endpoint takes; the message names the field."""


def answer(body: object, status: int = 200) -> Response:
    """A JSON answer; never cached, since it is about now."""
    return Response(
        msgspec.json.encode(body),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def problem(status: int, error: str, **more: str) -> Response:
    """An error: ``error`` says what is wrong and what to do."""
    return answer({"error": error, **more}, status)


async def body_of(shape: type[T]) -> T:
    """The body of the present request; an empty one stands for ``{}``.

    Raises:
        BadBody: It is not JSON, or a field is missing, unknown or of the wrong type.
    """
    raw = await request.get_data()
    try:
        return msgspec.json.decode(raw or b"{}", type=shape)
    except msgspec.DecodeError as error:  # a ValidationError too: it names the path
        raise BadBody(str(error)) from error

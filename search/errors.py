"""What can be wrong with a request: one base, and a stable code and one HTTP status for each kind."""

from __future__ import annotations


class RequestError(Exception):
    """A request that can't be answered. The message says what was got and what was expected."""

    code = "invalid_request"
    status = 400


class EmptyQuery(RequestError):
    code = "empty_query"


class QueryTooLong(RequestError):
    code = "query_too_long"


class UnknownSystem(RequestError):
    code = "unknown_system"


class UnknownKind(RequestError):
    code = "unknown_kind"


class UnknownSection(RequestError):
    code = "unknown_section"


class OutOfRange(RequestError):
    code = "out_of_range"


class InvalidParameter(RequestError):
    code = "invalid_parameter"


class MalformedBody(RequestError):
    code = "malformed_body"


class BodyTooLarge(RequestError):
    code = "body_too_large"
    status = 413


class UnknownCode(RequestError):
    code = "unknown_code"
    status = 404


class UnknownRelease(RequestError):
    code = "unknown_release"
    status = 404


class NotFound(RequestError):
    code = "not_found"
    status = 404


class MethodNotAllowed(RequestError):
    code = "method_not_allowed"
    status = 405


class Internal(RequestError):
    code = "internal_error"
    status = 500


class Overloaded(RequestError):
    code = "overloaded"
    status = 503


class NotReady(RequestError):
    code = "not_ready"
    status = 503

"""What the API server says when it says no: an HTTP status and a Status document with reason, details and causes.

The texts are those of the real server, because people and programs read them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from console.sandbox.kubernetes.documents import Object, compact


class ApiError(Exception):
    """An answer that is not the one that was asked for."""

    def __init__(self, code: int, reason: str, message: str, details: Object | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    def status(self) -> Object:
        """The Status document."""
        document: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            document["reason"] = self.reason
        if self.details is not None:
            document["details"] = self.details
        return document | {"code": self.code}


@dataclass(frozen=True)
class Cause:
    """One thing that is wrong with one field."""

    reason: str
    field: str
    text: str

    def to_json(self) -> Object:
        return {"reason": self.reason, "message": self.text, "field": self.field}


def required(path: str, detail: str = "") -> Cause:
    return Cause("FieldValueRequired", path, "Required value" + (f": {detail}" if detail else ""))


def wrong(path: str, value: Any, detail: str) -> Cause:
    return Cause("FieldValueInvalid", path, f"Invalid value: {shown(value)}: {detail}")


def wrong_type(path: str, value: Any, detail: str) -> Cause:
    return Cause("FieldValueTypeInvalid", path, f"Invalid value: {shown(value)}: {detail}")


def forbidden_field(path: str, detail: str) -> Cause:
    return Cause("FieldValueForbidden", path, f"Forbidden: {detail}")


def duplicate(path: str, value: Any) -> Cause:
    return Cause("FieldValueDuplicate", path, f"Duplicate value: {shown(value)}")


def unsupported(path: str, value: Any, known: Sequence[str]) -> Cause:
    listed = ", ".join(f'"{one}"' for one in sorted(known))
    return Cause("FieldValueNotSupported", path, f"Unsupported value: {shown(value)}: supported values: {listed}")


def too_long(path: str, limit: int) -> Cause:
    return Cause("FieldValueTooLong", path, f"Too long: may not be more than {limit} bytes")


def shown(value: Any) -> str:
    """As the server quotes what is wrong."""
    return compact(value)


# ------------------------------------------------------------ the answers


def not_found(plural: str, group: str, name: str) -> ApiError:
    qualified = f"{plural}.{group}" if group else plural
    details = {"name": name} | ({"group": group} if group else {}) | {"kind": plural}
    return ApiError(404, "NotFound", f'{qualified} "{name}" not found', details)


def no_such_resource() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(plural: str, group: str, name: str) -> ApiError:
    qualified = f"{plural}.{group}" if group else plural
    details = {"name": name} | ({"group": group} if group else {}) | {"kind": plural}
    return ApiError(409, "AlreadyExists", f'{qualified} "{name}" already exists', details)


def conflict(plural: str, group: str, name: str, why: str) -> ApiError:
    qualified = f"{plural}.{group}" if group else plural
    details = {"name": name} | ({"group": group} if group else {}) | {"kind": plural}
    return ApiError(409, "Conflict", f'Operation cannot be fulfilled on {qualified} "{name}": {why}', details)


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def invalid(kind: str, group: str, name: str, causes: Sequence[Cause]) -> ApiError:
    """422 with everything that is wrong."""
    qualified = f"{kind}.{group}" if group else kind
    texts = [f"{cause.field}: {cause.text}" for cause in causes]
    said = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    details = ({"name": name} if name else {}) | ({"group": group} if group else {}) | ({"kind": kind} if kind else {})
    details |= {"causes": [cause.to_json() for cause in causes]}  # type: ignore[dict-item] # a details document
    return ApiError(422, "Invalid", f'{qualified} "{name}" is invalid: {said}', details)


def rejected(details: Object | None = None) -> ApiError:
    """422 without a word about why, which is all that a JSON patch that can't be applied gets."""
    return ApiError(422, "Invalid", "the server rejected our request due to an error in our request", details or {})


def method_not_allowed() -> ApiError:
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def unsupported_media_type(what: str = "415: Unsupported Media Type") -> ApiError:
    return ApiError(415, "UnsupportedMediaType", what, {})


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def expired(message: str = "") -> ApiError:
    said = message or "The provided continue parameter is too old to display a consistent list result."
    return ApiError(410, "Expired", said)


def not_served(what: str) -> ApiError:
    """501: this drill's server knows that it does not do this, and says so."""
    return ApiError(501, "NotImplemented", f"the drill's Kubernetes API does not do this: {what}")

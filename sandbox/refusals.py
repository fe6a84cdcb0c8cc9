"""How the Bot API says no: an HTTP status, an error code and a sentence."""

from typing import Any

Json = dict[str, Any]


class Refusal(Exception):
    """An answer with `ok: false`. `parameters` carries `retry_after` where there is one."""

    def __init__(self, error_code: int, description: str, parameters: Json | None = None) -> None:
        super().__init__(error_code, description, parameters)
        self.error_code = error_code
        self.description = description
        self.parameters = parameters

    def to_json(self) -> Json:
        answer: Json = {"ok": False, "error_code": self.error_code, "description": self.description}
        if self.parameters:
            answer["parameters"] = self.parameters
        return answer


def bad_request(reason: str) -> Refusal:
    return Refusal(400, f"Bad Request: {reason}")


def forbidden(reason: str) -> Refusal:
    return Refusal(403, f"Forbidden: {reason}")


def conflict(reason: str) -> Refusal:
    return Refusal(409, f"Conflict: {reason}")


class ActionError(Exception):
    """A user cannot do what a test or the page asked, for example press a button that is not there."""

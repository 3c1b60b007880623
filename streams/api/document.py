"""The table of routes, and the OpenAPI 3.1 document made of it."""

from typing import Any, Final, NamedTuple

import msgspec

from schemas.identity import KINDS
from streams.api.reading import PARTS
from streams.api.shapes import Asked, Decisions, Problem, Profile, Timeline

MOST: Final = 100
"""Touches, or triggers with reasons, in one answer."""
WHY_MOST: Final = 512


class Query(NamedTuple):
    """A parameter after the question mark."""

    name: str
    description: str
    schema: dict[str, Any]
    required: bool = False


class Route(NamedTuple):
    """One thing that can be asked."""

    method: str
    path: str
    name: str
    summary: str
    answers: dict[int, type]
    queries: tuple[Query, ...] = ()


PROBLEMS: Final = {
    400: "something in the question is wrong",
    401: "no key, or an unknown one",
    403: "not a server key",
    404: "nobody ever heard of this id",
    410: "this customer was erased",
    500: "our fault; the log of the API says more",
    503: "Redis or Kafka gives no answer: ask again after Retry-After seconds",
}
WHO: Final = "/v1/customers/{kind}/{id}"
PART: Final = Query(
    "parts",
    f"by commas: {', '.join(PARTS)}; none: the ids only",
    {"type": "string", "pattern": f"^({'|'.join(PARTS)})(,({'|'.join(PARTS)}))*$"},
)
NEWEST: Final = Query("most", "how many, newest first", {"type": "integer", "minimum": 1, "maximum": MOST})
REASON: Final = Query("why", "kept in the log", {"type": "string", "minLength": 1, "maxLength": WHY_MOST}, True)
PERSON: Final = Query("by", "who asked, beside the name of the key", {"type": "string", "maxLength": 64})

ROUTES: Final = (
    Route("get", WHO, "profile", "One person, whichever id is asked for", {200: Profile}, (PART,)),
    Route("get", WHO + "/timeline", "timeline", "What it did, newest first", {200: Timeline}, (NEWEST,)),
    Route("get", WHO + "/decisions", "decisions", "What plays made of it, and why", {200: Decisions}, (NEWEST,)),
    Route("delete", WHO, "erase", "Erase the person", {202: Asked}, (REASON, PERSON)),
)
SAID: Final = {200: "here it is", 202: "it is in the logs; done when the workers have read it"}


def document() -> dict[str, Any]:
    """The whole of it."""
    shapes = (*(shape for route in ROUTES for shape in route.answers.values()), Problem)
    _, schemas = msgspec.json.schema_components(shapes, ref_template="#/components/schemas/{name}")
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method] = operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Kairos profile API", "version": "1", "description": "What is known of one customer."},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic", "description": "a server key as user name"},
                "key": {"type": "apiKey", "in": "header", "name": "X-Write-Key"},
            },
        },
        "security": [{"basic": []}, {"key": []}],
    }


def operation(route: Route) -> dict[str, Any]:
    """One method of one path."""
    kind = {"type": "string", "enum": list(KINDS)}
    text = {"type": "string", "minLength": 1, "maxLength": 128}
    inside = [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name, schema in (("kind", kind), ("id", text))
    ]
    answers = {status: (SAID[status], shape) for status, shape in route.answers.items()}
    answers |= {status: (words, Problem) for status, words in PROBLEMS.items()}
    return {
        "operationId": route.name,
        "summary": route.summary,
        "parameters": [*inside, *({"in": "query", **query._asdict()} for query in route.queries)],
        "responses": {str(status): response(*answer) for status, answer in answers.items()},
    }


def response(words: str, shape: type) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{shape.__name__}"}
    return {"description": words, "content": {"application/json": {"schema": schema}}}

"""What schemathesis cannot guess from /openapi.json: tokens, and the names of things that exist (stories/schemathesis.test.mjs).

The story gives the address in GUILD_URL, and in GUILD_FIXTURE {token, username, password, usernames, rooms}.
"""

import json
import os
import unicodedata
import zlib

import requests
import schemathesis

URL = os.environ["GUILD_URL"]
FIXTURE = json.loads(os.environ["GUILD_FIXTURE"])


@schemathesis.auth(refresh_interval=None)
class Bearer:
    """The story's token; a log-out gets one of its own each time, since it ends it."""

    def get(self, case, context):
        if context.operation.method != "post" or context.operation.path != "/users/logout":
            return FIXTURE["token"]
        who = {"username": FIXTURE["usernames"][0], "password": FIXTURE["password"]}
        answer = requests.post(f"{URL}/users/login", json=who, timeout=10)
        answer.raise_for_status()
        return answer.json()["token"]

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def before_call(context, case, kwargs):
    """What is asked for exists in most of the valid cases; which it is depends on nothing but the case."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    path, query, body = case.path_parameters or {}, case.query or {}, case.body
    chosen = zlib.crc32(repr((case.method, case.path, path, query, body)).encode("utf-8", "backslashreplace"))
    names = ["me", FIXTURE["username"]] if case.path.endswith("/rooms") else FIXTURE["usernames"]
    if "id" in path:
        path["id"] = one_of(FIXTURE["rooms"], chosen) or path["id"]
    if "username" in path:
        path["username"] = one_of(names, chosen >> 8) or path["username"]
    if chosen % 2:
        # no text that can be guessed is a page's `next`
        query.pop("after", None)
        query.pop("before", None)
    if isinstance(body, dict):
        fill(case, body, chosen >> 16)


def fill(case, body, chosen):
    """A body with names that may be; in most cases it names the asking user, where it names one, and people and passwords that there are."""
    for field in ("name", "display_name", "status"):
        if isinstance(body.get(field), str):
            body[field] = plain(body[field])
    name = one_of(FIXTURE["usernames"], chosen)
    if not name:
        return
    if case.path == "/users/login":
        body.update(username=name, password=FIXTURE["password"])
    elif "current_password" in body:
        # both the same, for the next time
        body.update(current_password=FIXTURE["password"], new_password=FIXTURE["password"])
    else:
        body.update({field: FIXTURE["username"] for field in ("sender", "username") if body.get(field) is not None})
    if body.get("usernames"):
        body["usernames"] = [name]


# Letters and symbols of Unicode that show nothing: the fillers of Hangul, and the empty pattern of Braille.
INVISIBLE = "\u115f\u1160\u3164\uffa0\u2800"


def plain(name):
    """A name without the characters that are allowed only beside certain others, which no schema can say. The tests of
    crates/contract/src/nickname.rs have those."""
    shown = "".join(c for c in name if c == " " or (unicodedata.category(c)[0] in "LNPS" and c not in INVISIBLE)).strip()
    return shown or "tea"


def one_of(values, chosen):
    """One of them, or none of them, each as often."""
    return [*values, None][chosen % (len(values) + 1)]

"""The seed's flow with the stock Python client: flow.py URL TRANSPORT.

It says "the flow works" and exits 0, or fails with what did not happen.
"""

import json
import queue
import sys
import urllib.request

import socketio

WAIT_SECONDS = 10
TRANSPORTS = {"websocket": ["websocket"], "polling": ["polling"], "upgrade": ["polling", "websocket"]}


def call(url, method, path, body=None, token=None):
    """A REST call; answers (status, body)."""
    request = urllib.request.Request(url + path, method=method)
    if token:
        request.add_header("authorization", f"Bearer {token}")
    data = None
    if body is not None:
        request.add_header("content-type", "application/json")
        data = json.dumps(body).encode()
    with urllib.request.urlopen(request, data, timeout=WAIT_SECONDS) as answer:
        return answer.status, json.load(answer)


class Listener:
    """A client with a queue for each event that it hears."""

    def __init__(self, url, transports, auth=None):
        self.heard = {name: queue.Queue() for name in ("ready", "room created", "new message")}
        self.client = socketio.Client(reconnection=False)
        for name, waiting in self.heard.items():
            # exactly one object: a second argument would be an error here
            self.client.on(name, lambda data, waiting=waiting: waiting.put(data))
        self.client.connect(url, transports=transports, auth=auth, wait_timeout=WAIT_SECONDS)

    def next(self, name):
        try:
            return self.heard[name].get(timeout=WAIT_SECONDS)
        except queue.Empty:
            raise AssertionError(f"waited {WAIT_SECONDS} s in vain for {name!r}") from None

    def must(self, name, request):
        ack = self.client.call(name, request, timeout=WAIT_SECONDS)
        assert ack["ok"] is True, f"{name}: {ack}"
        return ack


def main():
    url, transport = sys.argv[1:]
    me, other = f"py-me-{transport}", f"py-other-{transport}"

    mine = Listener(url, TRANSPORTS[transport])
    theirs = Listener(url, TRANSPORTS[transport])
    status, login = call(url, "POST", "/users/login", {"username": me, "password": "the password of me"})
    assert status == 201, status
    status, other_login = call(url, "POST", "/users/login", {"username": other, "password": "the password of other"})
    assert status == 201, status

    assert mine.must("authenticate", {"token": login["token"]})["user"]["username"] == me
    theirs.must("authenticate", {"token": other_login["token"]})
    assert mine.next("ready")["user"]["username"] == me
    theirs.next("ready")

    status, rooms = call(url, "GET", f"/users/{me}/rooms", token=login["token"])
    assert (status, rooms) == (200, {"items": [], "next": None}), rooms
    _, online = call(url, "GET", "/users/online?limit=100", token=login["token"])
    assert me in [one["username"] for one in online["items"]], online

    made = mine.must("create room", {"usernames": [other]})
    assert made["created"] is True
    for listener in (mine, theirs):
        assert listener.next("room created")["room"]["id"] == made["room"]["id"]

    sent = mine.must("message", {"room": made["room"]["id"], "body": "Grüße 😀"})
    for listener in (mine, theirs):
        message = listener.next("new message")
        assert message["id"] == sent["message"]["id"]
        assert message["body"] == "Grüße 😀"
        assert message["sender"] == me

    # and again with the token in the connection, resuming after the room was created
    again = Listener(url, TRANSPORTS[transport], {"token": other_login["token"], "cursor": message["cursor"]})
    assert again.next("ready")["resumed"] is True
    mine.must("message", {"room": made["room"]["id"], "body": "once more"})
    assert again.next("new message")["body"] == "once more"
    for listener in (mine, theirs, again):
        listener.client.disconnect()
    print("the flow works")


if __name__ == "__main__":
    main()

"""The stock Python client, which comes back by itself: comeback.py URL TOKEN connects|retries.

`retries` asks it to try its first connection again, too. It says each thing that it hears on a line, and exits 0 once it is served.
"""

import sys
import threading

import socketio

WAIT_SECONDS = 50


def say(*words):
    # one write: two threads may speak at once
    sys.stdout.write(" ".join(str(word) for word in words) + "\n")
    sys.stdout.flush()


def main():
    url, token, first = sys.argv[1:]
    client = socketio.Client(reconnection_delay=0.2, reconnection_delay_max=1)
    served = threading.Event()
    client.on("connect", lambda: say("connect"))
    client.on("disconnect", lambda *reason: say("disconnect", *reason))
    client.on("connect_error", lambda data: say("connect_error", data))
    client.on("error", lambda data: say("error", data["code"]))
    client.on("ready", lambda data: served.set())
    client.connect(url, auth={"token": token}, transports=["websocket"], retry=first == "retries")
    if not served.wait(WAIT_SECONDS):
        say("never ready")
        sys.exit(1)
    say("ready")
    client.disconnect()
    # docs/clients.md: this client keeps nothing for later
    try:
        client.emit("typing", {})
    except socketio.exceptions.BadNamespaceError:
        return
    say("an emit without a connection was taken")
    sys.exit(1)


if __name__ == "__main__":
    main()

"""The peer `flask`: Flask-SocketIO on gevent, SQLAlchemy over SQLite (WAL), one commit a message.

    python server.py PORT FOLDER
"""

# gevent first: it replaces the blocking standard library before anything else has imported it.
from gevent import monkey

monkey.patch_all()

import base64
import json
import os
import signal
import socket
import sys
import uuid
from datetime import UTC, datetime

from flask import Flask, session
from flask_socketio import SocketIO, emit, join_room
from gevent.pywsgi import WSGIServer
from geventwebsocket.handler import WebSocketHandler
from sqlalchemy import UniqueConstraint, create_engine, event, func, insert, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker


class Base(DeclarativeBase):
    pass


class Message(Base):
    __tablename__ = "messages"
    __table_args__ = (UniqueConstraint("room", "seq"),)

    n: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str]
    room: Mapped[str]
    seq: Mapped[int]
    sender: Mapped[str]
    nonce: Mapped[str]
    body: Mapped[str]
    created_at: Mapped[str]


app = Flask(__name__)
app.config["SECRET_KEY"] = "bench"
socketio = SocketIO(app, async_mode="gevent", cors_allowed_origins="*", ping_interval=25, ping_timeout=20)
Transaction = sessionmaker()


def open_database(folder):
    engine = create_engine(f"sqlite:///{os.path.join(folder, 'flask.db')}")

    @event.listens_for(engine, "connect")
    def durable(connection, _record):
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    Base.metadata.create_all(engine)
    Transaction.configure(bind=engine)


def name_of(auth):
    """The user's name: `username`, else that claim of the token, which nobody verifies here; None where neither can be read."""
    try:
        if auth.get("username"):
            return str(auth["username"])
        payload = auth["token"].split(".")[1]
        return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["username"])
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return None


def invalid(detail):
    return {"ok": False, "error": {"code": "invalid_request", "detail": detail}}


@socketio.on("connect")
def connected(auth=None):
    username = name_of(auth)
    if username is None:
        return False
    session["username"] = username


@socketio.on("join")
def join(data):
    if not isinstance(data, dict) or not isinstance(data.get("room"), str):
        return invalid("join takes {room}")
    join_room(data["room"])
    return {"ok": True, "room": data["room"]}


@socketio.on("message")
def message(data):
    if not isinstance(data, dict) or not all(isinstance(data.get(key), str) for key in ("room", "body", "nonce")):
        return invalid("message takes {room, body, nonce}")
    room = data["room"]
    told = {
        "id": str(uuid.uuid4()),
        "room": room,
        "seq": 0,
        "sender": session["username"],
        "body": data["body"],
        "created_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    # One statement takes the seq that follows the room's last, so two messages cannot get the same, and brings it back.
    following = select(func.coalesce(func.max(Message.seq), 0) + 1).where(Message.room == room).scalar_subquery()
    row = told | {"seq": following, "nonce": data["nonce"]}
    with Transaction.begin() as db:
        told["seq"] = db.execute(insert(Message).values(row).returning(Message.seq)).scalar_one()
    emit("new message", told, to=room)
    return {"ok": True, "message": told | {"nonce": data["nonce"]}}


def main():
    port, folder = int(sys.argv[1]), sys.argv[2]
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    open_database(folder)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Linux hands the option on to accepted sockets. Without it a small answer waits for the client's delayed TCP acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(4096)
    # What socketio.run() starts on gevent where gevent-websocket is installed (it takes a fifth less memory than simple-websocket), with a listener of our own for port 0 and the length of the queue.
    server = WSGIServer(listener, app, log=None, handler_class=WebSocketHandler)
    server.start()
    print(f"listening on 127.0.0.1:{listener.getsockname()[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()

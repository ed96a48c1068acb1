"""A client written from PROTOCOL.md's guide: Python's standard library, RFC 6455 by hand, one chat, one thread.

python-client.py HTTP_URL WS_HOST:PORT EMAIL PASSWORD CHAT_ID COUNT sends COUNT messages to the chat and follows it, come
what may, until somebody says "goodbye" there. Each line that it prints is JSON; the last one is its state.
"""
import base64, calendar, hashlib, json, os, random, socket, struct, sys, time, urllib.request

http_url, ws_address, email, password, chat_id, count = sys.argv[1:]

def tell(**what):
    print(json.dumps(what), flush=True)

def post(path, body):
    request = urllib.request.Request(http_url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=15) as answer:
        return json.load(answer)

class Lost(Exception):
    """The connection is over: the close code, or 1006."""

class WebSocket:
    def __init__(self, address, token):
        self.socket = socket.create_connection(address.split(":"), timeout=15)
        self.buffer = self.message = b""
        key = base64.b64encode(os.urandom(16)).decode()
        accept = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        self.socket.sendall((f"GET /ws HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
                             f"Authorization: Bearer {token}\r\n\r\n").encode())
        while b"\r\n\r\n" not in self.buffer:
            self.fill()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        if not head.startswith(b"HTTP/1.1 101 ") or base64.b64encode(accept) not in head:
            raise Lost(1006)

    def fill(self):
        chunk = self.socket.recv(65536)
        if not chunk:
            raise Lost(1006)
        self.buffer += chunk

    def take(self, size):
        while len(self.buffer) < size:
            self.fill()
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def send(self, payload, opcode=1):
        size, mask = len(payload), os.urandom(4)
        length = struct.pack("!B", 0x80 | size) if size < 126 else struct.pack("!BH", 0xFE, size)  # we send < 64 KiB
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        self.socket.sendall(bytes([0x80 | opcode]) + length + mask + masked)

    def receive(self):
        """The next message; None where nothing came for 0.1 s, "" for a part of one, a ping or a pong."""
        try:
            self.socket.settimeout(0.1)
            if not self.buffer:
                self.fill()
        except socket.timeout:
            return None
        self.socket.settimeout(30)
        first, second = self.take(2)
        size, opcode = second & 0x7F, first & 0x0F
        if size > 125:
            size = struct.unpack("!H", self.take(2))[0] if size == 126 else struct.unpack("!Q", self.take(8))[0]
        payload = self.take(size)
        if opcode == 8:
            raise Lost(struct.unpack("!H", payload[:2])[0] if size >= 2 else 1006)
        if opcode == 9:
            self.send(payload, 10)
        self.message += payload if opcode < 8 else b""
        if opcode > 8 or not first & 0x80:
            return ""
        message, self.message = self.message.decode(), b""
        return message

class Client:
    def __init__(self):
        self.tokens = post("/v1/auth/login", {"email": email, "password": password})
        self.position, self.messages, self.ids, self.backoff, self.done = {"snapshot": True}, [], 0, 1, False
        contents = {os.urandom(8).hex(): f"{n + 1}" for n in range(int(count))}
        self.unanswered = {key: {"type": "message.send", "key": key, "payload": {"chatId": chat_id, "content": content}}
                           for key, content in contents.items()}

    def ask(self, purpose, frame=None):
        self.ids += 1
        self.waiting[str(self.ids)] = purpose
        if purpose == "subscribe":
            frame = {"type": "subscribe", "topic": f"chat:{chat_id}", "payload": self.position}
        self.ws.send(json.dumps({"id": str(self.ids), **(frame or self.unanswered[purpose])}).encode())

    def refresh(self):
        self.tokens = post("/v1/auth/refresh", {"refreshToken": self.tokens["refreshToken"]})

    def reply(self, purpose, payload, error):
        if error and error["code"] in ("rate_limited", "unavailable", "internal") and purpose not in ("auth", "ping"):
            self.again[purpose] = time.monotonic() + error.get("retryAfterMs", 1000) / 1000
        elif error:
            raise SystemExit(f"refused: {purpose} {error}")
        elif purpose == "subscribe":
            self.messages = payload["snapshot"]["messages"] if "snapshot" in payload else self.messages
            self.position = {"since": payload["seq"], "epoch": payload["epoch"]}
            tell(subscribed=payload["seq"], replay=payload["replay"], reset=payload.get("reset", False))
        elif purpose == "auth":
            tell(renewed=payload["expiresAt"])
        else:
            self.unanswered.pop(purpose, None)

    def receive(self, frame):
        kind, payload = frame["type"], frame.get("payload")
        if kind == "welcome":
            self.patience, self.backoff = payload["heartbeatMs"] / 1000, 1
            tell(connected=payload["connectionId"])
            for purpose in ["subscribe", *self.unanswered]:
                self.ask(purpose)
        elif kind in ("ok", "error", "pong"):
            if frame.get("id") in self.waiting:
                self.reply(self.waiting.pop(frame["id"]), payload, frame.get("error"))
        elif kind == "auth.expiring":
            self.refresh()
            self.ask("auth", {"type": "auth", "payload": {"token": self.tokens["accessToken"]}})
        elif kind == "draining":
            self.is_drained = True
        elif kind == "unsubscribed":
            raise SystemExit("no longer a member")
        elif "seq" in frame:
            if frame["seq"] != self.position["since"] + 1:
                raise SystemExit(f"broken: {frame} at {self.position}")
            self.messages = (self.messages + [payload] if kind == "message.created" else self.messages)[-50:]
            self.position["since"] = frame["seq"]

    def live(self):
        """From a connection's beginning to its end, which is an exception."""
        if calendar.timegm(time.strptime(self.tokens["expiresAt"], "%Y-%m-%dT%H:%M:%S.%fZ")) <= time.time():
            self.refresh()
        self.waiting, self.again, self.patience, self.is_drained = {}, {}, 7.5, False
        self.ws = WebSocket(ws_address, self.tokens["accessToken"])
        heard = pinged = time.monotonic()
        while not self.done:
            message, now = self.ws.receive(), time.monotonic()
            heard = heard if message is None else now
            if message:
                self.receive(json.loads(message))
            if now - heard > 2 * self.patience:
                raise Lost(1006)
            if now - max(heard, pinged) > self.patience:
                pinged = now
                self.ask("ping", {"type": "ping"})
            for purpose in [each for each, due in self.again.items() if due <= now]:
                del self.again[purpose]
                self.ask(purpose)
            self.done = self.messages and self.messages[-1]["content"] == "goodbye" and not self.unanswered

    def run(self):
        while not self.done:
            try:
                self.live()
            except (Lost, OSError) as error:
                code = error.args[0] if isinstance(error, Lost) else 1006
                tell(closed=code)
                if code in (1002, 1007, 1009, 4400, 4403):
                    raise SystemExit(f"closed with {code}")
                if code == 4401:
                    self.tokens["expiresAt"] = "1970-01-01T00:00:00.000Z"
                if not (self.is_drained and code in (1001, 1012)):
                    time.sleep(random.random() * self.backoff)
                    self.backoff = min(30, 2 * self.backoff)
        tell(position=self.position, messages=[message["id"] for message in self.messages])

Client().run()

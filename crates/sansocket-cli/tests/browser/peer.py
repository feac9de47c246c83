"""A WebSocket server that says exactly what a test tells it to, when it is told to.

An echo server passes through the states Connecting and Closing in a blink, and
never speaks first, floods, or closes oddly. This one does. It knows just enough
of RFC 6455 for that and trusts the browser: it is no model of a server.
"""

import base64
import hashlib
import re
import socket

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE = 0x1, 0x8


class Peer:
    """Listens at `url`; serves one connection at a time, one call after another."""

    def __init__(self, timeout: float):
        self._timeout = timeout
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(timeout)
        self.url = f"ws://127.0.0.1:{self._listener.getsockname()[1]}/"

    def accept(self) -> str:
        """Takes a connection and reads its opening handshake, answering nothing yet."""
        self._stream, _ = self._listener.accept()
        self._stream.settimeout(self._timeout)
        request = b""
        while b"\r\n\r\n" not in request:
            request += self._receive_some()
        self._request = request.decode("ascii")
        return self._request

    def answer(self, subprotocol: str):
        """Completes the opening handshake."""
        key = re.search(r"^Sec-WebSocket-Key: *(\S+)", self._request, re.IGNORECASE | re.MULTILINE)[1]
        accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
        self._stream.sendall(
            "HTTP/1.1 101 Switching Protocols\r\n"
            "Upgrade: websocket\r\n"
            "Connection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n"
            f"Sec-WebSocket-Protocol: {subprotocol}\r\n\r\n".encode()
        )

    def send_texts(self, texts: list):
        self._stream.sendall(b"".join(frame(TEXT, text.encode()) for text in texts))

    def send_close(self, code: int, reason: str):
        self._stream.sendall(frame(CLOSE, code.to_bytes(2, "big") + reason.encode()))

    def receive_close(self) -> tuple:
        """The code and reason of a Close frame, which must be what comes next."""
        head = self._receive(2)
        if head[0] != 0x80 | CLOSE:
            raise AssertionError(f"expected a Close frame, got the first byte {head[0]:#04x}")
        mask = self._receive(4)
        payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(self._receive(head[1] & 0x7F)))
        return int.from_bytes(payload[:2], "big"), payload[2:].decode()

    def hang_up(self):
        self._stream.close()

    def close(self):
        self._listener.close()

    def _receive(self, n: int) -> bytes:
        data = b""
        while len(data) < n:
            data += self._receive_some(n - len(data))
        return data

    def _receive_some(self, n: int = 4096) -> bytes:
        data = self._stream.recv(n)
        if not data:
            raise ConnectionError("the browser hung up")
        return data


def frame(opcode: int, payload: bytes) -> bytes:
    """One unmasked frame; the tests stay within the two-byte length."""
    if len(payload) < 126:
        return bytes([0x80 | opcode, len(payload)]) + payload
    return bytes([0x80 | opcode, 126]) + len(payload).to_bytes(2, "big") + payload

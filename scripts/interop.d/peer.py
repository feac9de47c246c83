#!/usr/bin/env python3
"""Plays the plan with Python's `websockets`, against the `sansocket` command.

    peer.py PLAN SANSOCKET ROLES IDENTITY [-v]

ROLES are ours, by comma: `server` for their client against `sansocket serve`,
`client` for their server, which speaks the Autobahn suite's protocol with
`sansocket autobahn`. IDENTITY is a folder with the key.pem and cert.pem of 127.0.0.1 and
the ca.pem that vouches for it. `peer.js` does the same with `ws`.
"""

import asyncio
import base64
import contextlib
import json
import os
import re
import signal
import ssl
import sys
import time
import urllib.parse
import zlib

import websockets
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)
from websockets.frames import CTRL_OPCODES, Opcode

PEER = "websockets"
TIMEOUT = 30  # seconds, for one combination


async def main() -> int:
    # Asked to go, it ends our command first.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)
    path, command, roles, folder, *verbose = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        plan = json.load(file)
    decks = [[Message(**message) for message in deck] for deck in plan["decks"]]
    failed = 0
    for role in roles.split(","):
        part = plan["peers"][PEER][role]
        what, play = ROLES[role]
        report = Report(bool(verbose))
        await play(command, part["groups"], decks, Identity(folder), report)
        report.sum_up(f"{PEER} {websockets.__version__}, {what}", part["impossible"])
        failed += report.failed
    return 1 if failed else 0


# --- Their client ---


async def our_server(command: str, groups: list, decks: list, identity: "Identity", report: "Report"):
    for group in groups:
        arguments = ["serve", "--listen", "127.0.0.1:0", *COMPRESS, *group["options"]]
        context = None
        if group["transport"] == "tls":
            arguments += ["--tls-cert", identity.cert, "--tls-key", identity.key]
            context = ssl.create_default_context(cafile=identity.ca)
        async with running(command, arguments) as ours:
            url = (await ours.says(r"wss?://127\.0\.0\.1:\d+/ws"))[0]
            for number, case in enumerate(group["cases"], start=1):
                playing = against_server(url, context, ours, number, case, decks)
                await report.watch(case["name"], playing)
            ours.process.send_signal(signal.SIGINT)
            await ours.end(report)


async def against_server(
    url: str, context, ours: "Command", number: int, case: dict, decks: list
) -> int:
    # Their default is to let their window be limited; the plan says so itself.
    theirs = {"client_max_window_bits": None, **case["theirs"]}
    extensions = [ClientPerMessageDeflateFactory(**theirs)]
    connection = await connect(
        url, ssl=context, compression=None, extensions=extensions, max_size=None, proxy=None
    )
    async with connection:
        count = await exchange(connection, case, decks, sent_by="client")
    said = await ours.says(rf"^#{number} .* closed: (.*?); (\d+) messages")
    equal((said[1], int(said[2])), ("closed with 1000", count), "our server's log")
    return count


# --- Their server ---


async def our_client(command: str, groups: list, decks: list, identity: "Identity", report: "Report"):
    async with contextlib.AsyncExitStack() as stack:
        game = Game(decks)
        urls = {}
        for transport, context in {"tcp": None, "tls": identity.server_context()}.items():
            server = await stack.enter_async_context(
                serve(
                    game.play,
                    "127.0.0.1",
                    0,
                    ssl=context,
                    compression=None,
                    process_request=game.choose,
                    max_size=None,
                )
            )
            scheme = "ws" if context is None else "wss"
            urls[transport] = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for group in groups:
            game.begin(group["cases"])
            arguments = ["autobahn", urls[group["transport"]], *COMPRESS, *group["options"]]
            if group["transport"] == "tls":
                arguments += ["--ca", identity.ca]
            async with running(command, arguments) as ours:
                for number, case in enumerate(group["cases"]):
                    await report.watch(case["name"], game.outcome(ours, number))
                await ours.end(report)


class Identity:
    """Who a server is, and who says so."""

    def __init__(self, folder: str):
        self.key, self.cert, self.ca = (
            os.path.join(folder, f"{name}.pem") for name in ("key", "cert", "ca")
        )

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        return context


class Game:
    """The fuzzing server's protocol: how many cases, each of them, the end."""

    def __init__(self, decks: list):
        self.decks = decks

    def begin(self, cases: list):
        self.cases = cases
        self.results = [None] * len(cases)

    def choose(self, connection, request):
        """Each case has its own parameters. The others are not compressed."""
        case = self.case_of(request)
        if case is not None:
            theirs = self.cases[case]["theirs"]
            connection.protocol.available_extensions = [ServerPerMessageDeflateFactory(**theirs)]

    def case_of(self, request):
        url = urllib.parse.urlsplit(request.path)
        if url.path == "/runCase":
            return int(urllib.parse.parse_qs(url.query)["case"][0]) - 1

    async def play(self, connection):
        case = self.case_of(connection.request)
        if case is not None:
            self.results[case] = asyncio.get_running_loop().create_future()
            await settle(
                self.results[case],
                exchange(connection, self.cases[case], self.decks, sent_by="server"),
            )
            return
        if connection.request.path == "/getCaseCount":
            await connection.send(str(len(self.cases)))
        await connection.wait_closed()

    async def outcome(self, ours: "Command", number: int) -> int:
        """Our client has to come for each case, and to see it closed with 1000."""
        said = await ours.says(rf"case {number + 1} of {len(self.cases)}: (.*)")
        if self.results[number] is None:
            raise AssertionError("our client did not come")
        count = await self.results[number]
        equal(said[1], "closed with 1000", "our client's log")
        return count


async def settle(result: asyncio.Future, playing):
    try:
        result.set_result(await asyncio.wait_for(playing, TIMEOUT))
    except Exception as error:
        result.set_exception(error)


# --- One combination ---


class Message:
    def __init__(self, text: bool, data: str, fragments=None, squeezes=False, again=False):
        self.is_text, self.bytes = text, base64.b64decode(data)
        self.data = self.bytes.decode() if text else self.bytes
        self.fragments, self.squeezes, self.again = fragments, squeezes, again

    async def send(self, connection):
        if self.fragments is None:
            await connection.send(self.data)
        else:
            await connection.send(self.pieces(connection), text=self.is_text)

    async def pieces(self, connection):
        start = 0
        for length in self.fragments:
            yield self.bytes[start : start + length]
            start += length
            # §5.4: control frames may come between fragments.
            await connection.ping()


async def exchange(connection, case: dict, decks: list, sent_by: str) -> int:
    deck = decks[case["deck"]]
    agreed = case["agreed"]
    answer = connection.response.headers.get("Sec-WebSocket-Extensions")
    equal(parse(answer), agreed, "what was agreed")
    wires = []
    if agreed is not None:
        wires = [Wire(agreed, "client", sent_by), Wire(agreed, "server", sent_by)]
        watch(connection, *sorted(wires, key=lambda wire: wire.is_ours))

    sending = asyncio.create_task(send_all(connection, deck))
    try:
        for number, message in enumerate(deck):
            if await connection.recv() != message.data:
                raise AssertionError(f"message {number} came back as another")
        await sending
    except BaseException:
        # A closing handshake would wait for its place behind what is not read.
        connection.transport.abort()
        raise
    finally:
        sending.cancel()
        for wire in wires:
            wire.check_frames()
    await connection.close(1000)
    received = connection.protocol.close_rcvd
    equal(received and received.code, 1000, "the code of our Close")
    for wire in wires:
        wire.check_messages(deck)
    return len(deck)


async def send_all(connection, deck: list):
    for message in deck:
        await message.send(connection)


def parse(answer):
    """The parameters of the one element, sorted; None if there is none."""
    if answer is None:
        return None
    name, *parameters = (part.strip() for part in answer.split(";"))
    equal(name, "permessage-deflate", "the extension")
    return sorted(parameters)


def watch(connection, sent: "Wire", received: "Wire"):
    """Lets the wires see each frame that their extension makes and gets."""
    (extension,) = connection.protocol.extensions
    encode, decode = extension.encode, extension.decode

    def watched_encode(frame):
        frame = encode(frame)
        sent.note(frame)
        return frame

    def watched_decode(frame, **rest):
        received.note(frame)
        return decode(frame, **rest)

    extension.encode, extension.decode = watched_encode, watched_decode


class Wire:
    """What goes over the wire in one direction."""

    def __init__(self, agreed: list, sender: str, theirs: str):
        self.sender, self.is_ours = sender, sender != theirs
        self.keeps_context = f"{sender}_no_context_takeover" not in agreed
        bits = [re.fullmatch(rf"{sender}_max_window_bits=(\d+)", each) for each in agreed]
        self.bits = next((int(found[1]) for found in bits if found), 15)
        self.lengths, self.compressed = [], []  # of each message
        self.wrong = None
        self.narrow = self.inflater()

    def inflater(self):
        return zlib.decompressobj(wbits=-self.bits)

    def note(self, frame):
        """Raises nothing: that would look like a fault of theirs."""
        if frame.opcode in CTRL_OPCODES or frame.opcode is Opcode.CONT:
            if frame.rsv1:
                self.wrong = self.wrong or f"RSV1 in a frame of opcode {frame.opcode}"
        else:
            self.lengths.append(0)
            self.compressed.append(frame.rsv1)
            if not self.keeps_context:
                self.narrow = self.inflater()
        if frame.opcode not in CTRL_OPCODES:
            self.lengths[-1] += len(frame.data)
            if self.compressed[-1] and self.bits < 15 and not self.wrong:
                self.inflate_narrowly(bytes(frame.data) + (TAIL if frame.fin else b""))

    def inflate_narrowly(self, data: bytes):
        """zlib looks for references that leave the window only where they leave what
        it puts out at a time as well. So it gets little room."""
        try:
            for start in range(0, len(data), 256):
                piece = data[start : start + 256]
                while piece:
                    self.narrow.decompress(piece, NARROW)
                    piece = self.narrow.unconsumed_tail
        except zlib.error as error:
            self.wrong = f"message {len(self.lengths) - 1} in a window of {self.bits} bits: {error}"

    def check_frames(self):
        if self.wrong:
            raise AssertionError(f"sent by the {self.sender}: {self.wrong}")

    def check_messages(self, deck: list):
        self.check_frames()
        equal(len(self.lengths), len(deck), f"messages sent by the {self.sender}")
        for number, message in enumerate(deck):
            length, is_compressed = self.lengths[number], self.compressed[number]
            what = f"message {number}, {length} bytes on the wire, sent by the {self.sender},"
            if not is_compressed and not self.may_be_plain(message):
                raise AssertionError(f"{what} is not compressed")
            if message.squeezes and length > len(message.bytes) / 4:
                raise AssertionError(f"{what} is hardly compressed")
            if message.again and (length < 25) != self.keeps_context:
                raise AssertionError(f"{what} has the wrong context")

    def may_be_plain(self, message: "Message") -> bool:
        """We leave a message as it is if it would not become shorter, but only where
        none behind it could refer to it."""
        return self.is_ours and not self.keeps_context and not message.squeezes


TAIL = b"\x00\x00\xff\xff"
NARROW = 64  # bytes


# --- Our command, and the report ---

COMPRESS = ["--compress", "--compress-threshold", "0"]


@contextlib.asynccontextmanager
async def running(command: str, arguments: list):
    process = await asyncio.create_subprocess_exec(
        command,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield Command(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


class Command:
    def __init__(self, process):
        self.process, self.last = process, "nothing"

    async def says(self, pattern: str) -> re.Match:
        """The next line of its output that matches."""
        while line := await asyncio.wait_for(self.process.stdout.readline(), TIMEOUT):
            self.last = line.decode().rstrip("\n")
            if found := re.search(pattern, self.last):
                return found
        raise AssertionError(f"our command ended without {pattern!r}, and said last: {self.last}")

    async def end(self, report: "Report"):
        """It has to end well."""
        status = await asyncio.wait_for(self.process.wait(), TIMEOUT)
        if status != 0:
            report.fail("the end of our command", f"{status}, and {self.last}")


def equal(got, wanted, what: str):
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r}, wanted {wanted!r}")


class Report:
    def __init__(self, is_verbose: bool):
        self.is_verbose = is_verbose
        self.begun = time.monotonic()
        self.passed = self.failed = self.messages = 0

    async def watch(self, name: str, case):
        try:
            self.messages += await asyncio.wait_for(case, TIMEOUT)
        except Exception as error:
            self.fail(name, f"{type(error).__name__}: {error}")
        else:
            self.passed += 1
            if self.is_verbose:
                print(f"ok      {name}", flush=True)

    def fail(self, name: str, why: str):
        self.failed += 1
        print(f"FAILED  {name}\n        {why}", flush=True)

    def sum_up(self, what: str, impossible: list):
        print(
            f"{what}: {self.passed} combinations passed, {self.failed} failed, "
            f"{sum(each['count'] for each in impossible)} not possible; "
            f"{self.messages} messages in {time.monotonic() - self.begun:.1f} s"
        )
        for each in impossible:
            print(f"    {each['count']} not possible: {each['why']}", flush=True)


ROLES = {
    "server": ("our server, their client", our_server),
    "client": ("our client, their server", our_client),
}

if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except asyncio.CancelledError:
        sys.exit(143)

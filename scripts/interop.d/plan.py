#!/usr/bin/env python3
"""What the two peers play: every combination of parameters that can be spoken with
them, what has to be agreed then, and the messages. As JSON, for both languages.

    plan.py > target/interop/plan.json

A combination is asked for by one side, while the other one takes what comes; the
few where both have a wish are listed one by one. A group is one run of our command,
with its options; some are inside TLS. The same seed gives the same messages everywhere.
"""

import base64
import itertools
import json
import random
import sys

SEED = 7692
DECKS, MESSAGES = 4, 200

PARAMETERS = (
    "server_no_context_takeover",
    "client_no_context_takeover",
    "server_max_window_bits",
    "client_max_window_bits",
)
ABSENT, NO_VALUE = None, True

# Of a window of 8 bits, which is 256 bytes, a compressor of zlib's family knows
# nothing for raw DEFLATE. To read what came out of one is no difficulty.
WINDOWS = (ABSENT, 8, 9, 12, 15)


def main():
    numbers = itertools.count()
    plan = {
        "decks": [deck(random.Random(f"{SEED}/{n}")) for n in range(DECKS)],
        "peers": {
            peer: {role: part(numbers) for role, part in roles.items()}
            for peer, roles in {
                "websockets": {"server": websockets_client, "client": websockets_server},
                "ws": {"server": ws_client, "client": ws_server},
            }.items()
        },
    }
    json.dump(plan, sys.stdout)


# --- Who can say what. The names of the roles are those of our side. ---


def websockets_client(numbers) -> dict:
    plan = Part(numbers)
    # Their compressor cannot keep to 8 bits, so they do not offer to.
    asked = plan.possible(
        combinations(WINDOWS, (ABSENT, NO_VALUE, 8, 9, 12, 15)),
        lambda wish: wish.get("client_max_window_bits") != 8,
        "websockets refuses to offer client_max_window_bits=8",
    )
    our_server(plan, asked)
    return plan.finish()


def ws_client(numbers) -> dict:
    plan = Part(numbers)
    # They do offer 8 bits, and let zlib compress with 9, which stays in them.
    our_server(plan, combinations(WINDOWS, (ABSENT, NO_VALUE, 8, 9, 12, 15)))
    return plan.finish()


def our_server(plan: "Part", asked: list):
    """`asked` is what their client offers in turn to our server."""
    plan.group([], [(wish, confirmed(wish)) for wish in asked])
    for wish in plan.possible(combinations(WINDOWS, WINDOWS), ours_says, OURS_SAYS):
        plan.group(options(wish), [(OPEN, wish)])

    # Both have a wish: the smaller window, and no context if one does without.
    server, client = "server_max_window_bits", "client_max_window_bits"
    plan.group(
        options({server: 12, client: 12}),
        [
            ({server: 8, **OPEN}, {server: 8, client: 12}),
            ({server: 9, client: 9}, {server: 9, client: 9}),
            ({server: 15, client: 15}, {server: 12, client: 12}),
            # A client that does not let itself be limited is taken as it is.
            ({server: 12}, {server: 12}),
            ({}, {server: 12}),
        ],
    )
    plan.group(options(DROPS), [({name: True}, DROPS) for name in DROPS])
    plan.group([], SECURED, transport="tls")


def websockets_server(numbers) -> dict:
    plan = Part(numbers)
    # Their compressor cannot keep to 8 bits, so their server does not offer to.
    asked = plan.possible(
        combinations(WINDOWS, WINDOWS),
        lambda wish: wish.get("server_max_window_bits") != 8,
        "websockets refuses server_max_window_bits=8 as a server",
    )
    our_client(plan, asked)

    # Both have a wish: their server takes the smaller window.
    server, client = "server_max_window_bits", "client_max_window_bits"
    plan.group(
        options({server: 12, client: 12}),
        [
            ({server: 9, client: 9}, {server: 9, client: 9}),
            ({server: 15, client: 15}, {server: 12, client: 12}),
            ({client: 8}, {server: 12, client: 8}),
        ],
    )
    return plan.finish()


def ws_server(numbers) -> dict:
    plan = Part(numbers)
    our_client(plan, combinations(WINDOWS, WINDOWS))

    # Their server declines an offer that asks for a smaller window than its own,
    # instead of taking the smaller, and one that asks for what it refuses.
    server, client = "server_max_window_bits", "client_max_window_bits"
    plan.group(
        options({server: 12}),
        [
            ({server: 9}, {server: 9}),
            # These take our second offer, which asks nothing.
            ({server: 15}, {server: 15}),
            ({server: False}, {}),
        ],
    )
    plan.group(
        options({"server_no_context_takeover": True}),
        [({"server_no_context_takeover": False}, {})],
    )
    plan.group(options({client: 12}), [({client: 9}, {client: 9})])
    # Where it declines all offers, it declines the whole handshake: both of ours say
    # that we keep to 12 bits, which is held against us.
    plan.rule_out(1, "ws answers 400 to client_max_window_bits=12 if it is configured for 15")
    return plan.finish()


def our_client(plan: "Part", asked: list):
    """`asked` is what their server answers in turn to an offer of ours that asks
    nothing. An open server answers with what our client asks."""
    plan.group([], [(wish, wish) for wish in asked])
    for wish in plan.possible(combinations(WINDOWS, WINDOWS), ours_says, OURS_SAYS):
        plan.group(options(wish), [({}, wish)])
    plan.group([], SECURED, transport="tls")


# An offer of a client that asks nothing and lets its window be limited.
OPEN = {"client_max_window_bits": NO_VALUE}

# No context for either.
DROPS = {name: True for name in PARAMETERS[:2]}

# What is played inside TLS: it knows nothing of parameters, so a few are enough.
SECURED = [(wish, wish) for wish in ({}, DROPS)]

OURS_SAYS = "sansocket grants 8 bits and never wishes them, and leaves 15 unsaid"


def ours_says(wish: dict) -> bool:
    return not {8, 15} & {wish.get(name) for name in PARAMETERS[2:]}


def confirmed(offer: dict) -> dict:
    """What our server, without a wish of its own, answers to an offer: the same, but
    15 bits for the client are no limit."""
    answer = dict(offer)
    if answer.get("client_max_window_bits") in (NO_VALUE, 15):
        del answer["client_max_window_bits"]
    return answer


def combinations(server_windows, client_windows) -> list:
    """Without the names that are absent."""
    values = ((ABSENT, True), (ABSENT, True), server_windows, client_windows)
    return [
        {name: value for name, value in zip(PARAMETERS, combination) if value is not ABSENT}
        for combination in itertools.product(*values)
    ]


def options(wish: dict) -> list:
    """As options of our command."""
    given = []
    for name, value in wish.items():
        given.append("--" + name.replace("_", "-"))
        if value is not True:
            given.append(str(value))
    return given


def parameters(wish: dict) -> list:
    """As they are written in Sec-WebSocket-Extensions, sorted."""
    return sorted(name if value is True else f"{name}={value}" for name, value in wish.items())


class Part:
    """One peer in one role."""

    def __init__(self, numbers):
        self.numbers = numbers
        self.groups, self.impossible = [], []

    def possible(self, wishes: list, test, why_not: str) -> list:
        """Those that pass; the others are counted."""
        passed = [wish for wish in wishes if test(wish)]
        self.rule_out(len(wishes) - len(passed), why_not)
        return passed

    def rule_out(self, count: int, why: str):
        self.impossible.append({"count": count, "why": why})

    def group(self, command: list, cases: list, transport: str = "tcp"):
        """`cases` are pairs: what they wish, what is to be agreed; None is nothing."""
        self.groups.append(
            {
                "options": command,
                "transport": transport,
                "cases": [
                    {
                        "name": f"{transport}; {name(command, theirs)}",
                        "theirs": theirs,
                        "agreed": None if agreed is None else parameters(agreed),
                        "deck": next(self.numbers) % DECKS,
                    }
                    for theirs, agreed in cases
                ],
            }
        )

    def finish(self) -> dict:
        return {"groups": self.groups, "impossible": self.impossible}


def name(command: list, theirs: dict) -> str:
    return f"ours: {' '.join(command) or 'open'}; theirs: {' '.join(parameters(theirs)) or 'open'}"


# --- Messages ---


def deck(dice: random.Random) -> list:
    edges = [0, 0, 1, 1, 2, 124, 125, 126, 127, 128, 16_383, 16_384, 16_385]
    messages = [kind(dice, size) for size in edges for kind in KINDS]
    messages += [kind(dice, 70_000) for kind in KINDS]
    messages += [dice.choice(KINDS)(dice, size) for size in (65_535, 65_536)]
    messages += [kind(dice, 300 * 1024) for kind in dice.sample(KINDS, 2)]
    pairs = 5
    while len(messages) < MESSAGES - 2 * pairs:
        messages.append(dice.choice(KINDS)(dice, int(2 ** dice.uniform(0, 12))))
    for each in dice.sample(messages, MESSAGES // 4):
        each["fragments"] = fragments(dice, len(base64.b64decode(each["data"])))
    dice.shuffle(messages)
    # Twice the same, short enough for the smallest window: who takes the context
    # over says the second time hardly more than "again".
    for place in dice.sample(range(len(messages)), pairs):
        twice = written(dice.randbytes(50).hex().encode(), is_text=True)
        messages[place] = [messages[place], twice, {**twice, "again": True}]
    return list(itertools.chain.from_iterable(m if isinstance(m, list) else [m] for m in messages))


def multibyte(dice: random.Random, size: int) -> dict:
    """Text of one to four bytes a character, and exactly as long."""
    letters = "aé€😀ßж中\u0000\uffff\U0010ffff"
    text = "".join(dice.choices(letters, k=size)).encode()[:size]
    text = text.decode(errors="ignore").encode()
    return written(text + b"." * (size - len(text)), is_text=True)


def noise(dice: random.Random, size: int) -> dict:
    return written(dice.randbytes(size), is_text=False)


def repetitive(dice: random.Random, size: int) -> dict:
    """Half a line of it fits into the smallest window."""
    line = b"compress me, " + dice.randbytes(6).hex().encode() + b"; "
    squeezed = {"squeezes": True} if size >= 1000 else {}
    return {**written((line * (size // len(line) + 1))[:size], dice.random() < 0.5), **squeezed}


KINDS = (multibyte, noise, repetitive)


def written(data: bytes, is_text: bool) -> dict:
    return {"text": is_text, "data": base64.b64encode(data).decode()}


def fragments(dice: random.Random, size: int) -> list:
    """The lengths of two to five, cut anywhere: in a character, or for none at all."""
    cuts = sorted(dice.randint(0, size) for _ in range(dice.randint(1, 4)))
    return [end - start for start, end in zip([0, *cuts], [*cuts, size])]


if __name__ == "__main__":
    main()

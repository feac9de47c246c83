#!/usr/bin/env python3
"""The Content-Security-Policy of the page, from the page.

The page's style and script are inline, so the policy names their SHA-256
hashes. The server sends the policy from a file, `src/page/csp.txt`, and hashes
nothing itself. This checks that the file still fits the page, or with --write
makes it fit.
"""

import argparse
import base64
import hashlib
import pathlib
import re
import sys

PAGE = pathlib.Path(__file__).resolve().parents[2] / "src" / "page" / "index.html"
CSP = PAGE.with_name("csp.txt")

DIRECTIVES = (
    "default-src 'none'",
    "style-src {style}",
    "script-src {script}",
    # Any WebSocket, not only this server's: the URL field is the reader's.
    "connect-src 'self' ws: wss:",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    # The browser itself refuses innerHTML and its kin.
    "require-trusted-types-for 'script'",
)


def policy(page: str) -> str:
    """The policy under which `page`, an HTML text, works and nothing else does."""
    directives = "; ".join(DIRECTIVES)
    return directives.format(style=source_hash(page, "style"), script=source_hash(page, "script"))


def source_hash(page: str, element: str) -> str:
    # Browsers hash what the HTML parser saw, and it turns CR LF into LF.
    found = re.findall(rf"^<{element}>(.*?)</{element}>", page.replace("\r\n", "\n"), re.DOTALL | re.MULTILINE)
    if len(found) != 1:
        raise ValueError(f"the page has {len(found)} <{element}> elements at the start of a line, not one")
    digest = hashlib.sha256(found[0].encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def main() -> int:
    parser = argparse.ArgumentParser(description="Check that csp.txt fits index.html.")
    parser.add_argument("--write", action="store_true", help="rewrite csp.txt instead")
    write = parser.parse_args().write

    fresh = policy(PAGE.read_text(encoding="utf-8")) + "\n"
    if write:
        CSP.write_text(fresh, encoding="utf-8", newline="\n")
    elif not CSP.exists() or CSP.read_text(encoding="utf-8") != fresh:
        print(f"{CSP} is stale: run {sys.argv[0]} --write", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

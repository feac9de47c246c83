"""A browser, driven over the W3C WebDriver protocol with the standard library alone."""

import base64
import json
import re
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

TIMEOUT = 20.0  # seconds that any awaited condition may take

# https://www.w3.org/TR/webdriver2/#keyboard-actions
ENTER, SHIFT, TAB, BACKSPACE, ARROW_RIGHT = "\ue007", "\ue008", "\ue004", "\ue003", "\ue014"

CHROMIUM_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",  # containers often have a tiny /dev/shm
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
)


def wait_for(what: str, condition, timeout: float = TIMEOUT):
    """The first truthy value of `condition()`, asked again until the deadline."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:g} s for {what}")
        time.sleep(0.02)


class Output:
    """Reads what a process prints, to the end, so that it never blocks on printing."""

    def __init__(self, process: subprocess.Popen):
        self._process = process
        self._lines = []
        self._reader = threading.Thread(target=lambda: self._lines.extend(process.stdout), daemon=True)
        self._reader.start()

    def first_match(self, pattern: str) -> re.Match:
        """The first match in the printed lines, awaited."""

        def look():
            ended = not self._reader.is_alive()
            for line in list(self._lines):
                if found := re.search(pattern, line):
                    return found
            if ended:
                raise RuntimeError(f"{self._process.args[0]} ended without printing {pattern!r}: {self._lines}")

        return wait_for(f"{self._process.args[0]} to print {pattern!r}", look)


class Browser:
    """One chromedriver with one chromium; a context manager."""

    def __init__(self, chromium: str, chromedriver: str, *flags: str):
        self._profile = tempfile.mkdtemp(prefix="sansocket-chromium-")
        self._driver = subprocess.Popen(
            [chromedriver, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        # Loopback only, so never through a proxy of the environment's.
        self._http = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._session = None
        try:
            port = Output(self._driver).first_match(r"started successfully on port (\d+)")[1]
            self._base = f"http://127.0.0.1:{port}"
            options = {"binary": chromium, "args": [*CHROMIUM_FLAGS, *flags, f"--user-data-dir={self._profile}"]}
            wanted = {
                "browserName": "chrome",
                "goog:chromeOptions": options,
                "goog:loggingPrefs": {"browser": "ALL"},
            }
            created = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
            self._session = f"/session/{created['sessionId']}"
            self.version = created["capabilities"]["browserVersion"]
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            if self._session:
                self._call("DELETE", self._session)
        finally:
            self._driver.terminate()
            self._driver.wait()
            shutil.rmtree(self._profile, ignore_errors=True)

    def open(self, url: str):
        self._post("/url", {"url": url})

    def run(self, script: str, *args):
        """What the body `script` returns in the page, with `args` as `arguments`."""
        return self._post("/execute/sync", {"script": script, "args": args})

    def click(self, element_id: str):
        found = self._post("/element", {"using": "css selector", "value": f"#{element_id}"})
        self._post(f"/element/{next(iter(found.values()))}/click", {})

    def press(self, key: str, holding: str = ""):
        """Presses `key` at whatever has the focus."""
        downs = [{"type": "keyDown", "value": k} for k in (*holding, key)]
        ups = [{"type": "keyUp", "value": k} for k in (key, *holding)]
        self._post("/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": downs + ups}]})

    def insert(self, text: str):
        """Types `text` at whatever has the focus; unlike key presses, any character."""
        self.devtools("Input.insertText", text=text)

    def devtools(self, command: str, **params):
        return self._post("/goog/cdp/execute", {"cmd": command, "params": params})

    def console(self) -> list:
        """The console's messages since the last call."""
        return [f"{entry['level']}: {entry['message']}" for entry in self._post("/se/log", {"type": "browser"})]

    def screenshot(self) -> bytes:
        """A PNG of the whole page, below the fold too."""
        width, height = self.run("const { scrollWidth, scrollHeight } = document.documentElement;"
                                 "return [scrollWidth, scrollHeight];")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        shot = self.devtools("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        return base64.b64decode(shot["data"])

    def _post(self, path: str, body: dict):
        return self._call("POST", self._session + path, body)

    def _call(self, method: str, path: str, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with self._http.open(request, timeout=60) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            problem = json.load(error)["value"]
            raise RuntimeError(f"{method} {path}: {problem['error']}: {problem['message']}") from None

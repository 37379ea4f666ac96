# How a page of `qkv inspect` behaves in Chromium, headless, through chromedriver: when its first picture stands, and how long the page
# does not answer while a pointer moves over it.
#
#   python3 bench/page_in_browser.py PAGE.html [ADDRESS BEHIND '#']
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

# The longest time between two frames from now on, and the longest task that Chromium reports (it reports those above 50 ms).
WATCH = """
window.worst = {frame: 0, task: 0}; let last = performance.now();
const frame = now => { worst.frame = Math.max(worst.frame, now - last); last = now; requestAnimationFrame(frame); };
requestAnimationFrame(now => { last = now; requestAnimationFrame(frame); });
new PerformanceObserver(list => list.getEntries().forEach(entry => { worst.task = Math.max(worst.task, entry.duration); })).observe({type: "longtask"});
"""
FIRST = """
const navigation = performance.getEntriesByType("navigation")[0], paint = performance.getEntriesByName("first-contentful-paint")[0];
return Math.max(navigation.domContentLoadedEventEnd, paint ? paint.startTime : 0);
"""


class Browser:
    def __init__(self):
        with socket.socket() as free:
            free.bind(("localhost", 0))
            self.port = free.getsockname()[1]
        self.home = tempfile.TemporaryDirectory()
        self.driver = subprocess.Popen(["chromedriver", f"--port={self.port}"], stdout=subprocess.DEVNULL, env=dict(os.environ, HOME=self.home.name))
        self.base = f"http://localhost:{self.port}"
        for _ in range(100):
            try:
                if json.load(urllib.request.urlopen(self.base + "/status"))["value"]["ready"]:
                    break
            except OSError:
                time.sleep(0.1)
        options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1300,1000"]}
        session = self.post("/session", {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}})["sessionId"]
        self.base += f"/session/{session}"

    def post(self, path, body):
        request = urllib.request.Request(self.base + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        return json.load(urllib.request.urlopen(request, timeout=120))["value"]

    def js(self, script):
        return self.post("/execute/sync", {"script": script, "args": []})

    def open(self, path):
        self.post("/url", {"url": "about:blank"})
        self.post("/url", {"url": "file://" + path})

    def hover(self, selector, moves):
        """The pointer moves over an element in a zigzag."""
        x, y, width, height = self.js(f"const box = document.querySelector('{selector}').getBoundingClientRect(); "
                                      "return [box.x, box.y, Math.min(box.width, innerWidth - box.x), Math.min(box.height, innerHeight - box.y)]")
        steps = [{"type": "pointerMove", "duration": 20, "x": int(x + width * (0.05 + 0.9 * (i * 7 % 50) / 50)), "y": int(y + height * (0.05 + 0.9 * i / moves))}
                 for i in range(moves)]
        self.post("/actions", {"actions": [{"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": steps}]})

    def close(self):
        urllib.request.urlopen(urllib.request.Request(self.base, method="DELETE"), timeout=60)
        self.driver.terminate()
        self.driver.wait()
        self.home.cleanup()


def look(path, address="view=attention"):
    """Milliseconds to the first picture, and the longest stall while a pointer moves over it for some seconds."""
    browser = Browser()
    try:
        browser.open(f"{os.path.abspath(path)}#{address}")
        first = browser.js(FIRST)
        browser.js(WATCH)
        browser.hover("#large-matrix", 150)
        return first, max(browser.js("return worst.frame"), browser.js("return worst.task"))
    finally:
        browser.close()


if __name__ == "__main__":
    first_picture, stall = look(*sys.argv[1:3])
    print(f"first picture after {first_picture:.0f} ms; longest stall while hovering {stall:.0f} ms")

"""Stands in an election over HTTP, with leadership serve. It needs Python 3.9 or
later, on Linux, and nothing but the standard library.

    election = Election(["http://127.0.0.1:8080"], "service/leader", node="a")
    election.run(work)  # calls work(term) while this process leads

work calls term.leads() before each step that only the leader may take, sends
term.token along to be checked, and returns when it does not lead any more. Between
two calls it must not do what takes long: for that use run_command, which runs a
process and kills it in time.

It logs, as "leadership", when a term begins, why it has ended, and that no server answers.
"""

import argparse
import ctypes
import http.client
import json
import logging
import os
import random
import secrets
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request


log = logging.getLogger("leadership")


def now():
    """Seconds on the clock that goes on while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Term:
    """One term of this process. Each renewal extends its trust."""

    def __init__(self, instance, stopped):
        self.instance = instance
        self.token = 0
        self.beat = ""  # of the last claim that succeeded
        self._next = ""  # what the next claim names
        self._doubt = False  # a claim that named it was not answered
        self._loose = 0  # claims that named none, and were not answered
        self._stopped = stopped
        self._leaving = False
        self._why = ""  # it is over
        self._until = 0.0
        self._lock = threading.Lock()

    def leads(self):
        """Reports whether this process leads at this moment, and is to go on."""
        return self.remaining() > 0 and not self._leaving and not self._stopped.is_set()

    def remaining(self):
        """Returns for how many seconds no other can lead if the term is not renewed:
        by then the work has to have ended."""
        with self._lock:
            return max(self._until - now(), 0.0)

    def ending(self):
        """Returns why the term is over, for people."""
        if self._why:
            return self._why
        if self._stopped.is_set():
            return "stopped"
        return "not renewed in time" if self.remaining() == 0 else "the work has ended"

    def _leave(self, why):
        """The work is to end, while no other can lead yet."""
        self._why = self._why or why
        self._leaving = True

    def _lose(self, why):
        """Another may lead already."""
        with self._lock:
            self._why = self._why or why
            self._leaving, self._until = True, 0.0

    def _heard(self, status, answer):
        """Notes the beat of an answer, or that there is none. Returns False if the term
        was renewed since the beat of the claim, though perhaps by an unanswered claim
        of this process: then it is to claim again. Each that named no beat may yet
        renew once."""
        if status == 200:
            self.beat = self._next = answer.get("beat", "")
            self._doubt = False
        elif status == 0 or status >= 500:
            self._doubt = self._doubt or self._next != ""
            self._loose += self._next == ""
        elif status == 409 and "beat" in answer and (self._doubt or self._loose > 0):
            self._loose -= not self._doubt
            self._next, self._doubt = answer["beat"], True
            return False
        return True

    def _trust(self, token, until):
        """Notes a claim that has succeeded. Returns False if its trust, or that
        before it, has run out meanwhile: then the claim does not count."""
        with self._lock:
            lapsed = self.token != 0 and self._until <= now()
            if lapsed or until <= now():
                self._why = self._why or "not renewed in time"
                self._leaving, self._until = True, 0.0
                return False
            self.token, self._until = token, until
            return True


class Refused(ValueError):
    """A server refuses to be asked. To ask again is of no use."""


class Silence:
    """Logs that no server answers: once, then at growing intervals, and when one answers
    again. The threads of an election share it."""

    def __init__(self, servers):
        self._servers, self._lock = servers, threading.Lock()
        self._failed, self._since, self._next, self._told = 0, 0.0, 0.0, False

    def goes_on(self, url, why):
        """Notes a request that was not answered, or with an error of the server."""
        with self._lock:
            if self._failed == 0:
                self._since, self._next = now(), 0.0
            self._failed += 1
            lasts = now() - self._since
            if self._failed < self._servers or lasts < self._next:
                return
            self._next, self._told = max(2 * lasts, 5.0), True
            log.warning("no server answers, for %.0f s: %s: %s", lasts, url, why)

    def ended(self):
        """Notes an answer."""
        with self._lock:
            if self._told:
                log.warning("a server answers again, after %.0f s", now() - self._since)
            self._failed, self._told = 0, False


def checked(url):
    """Returns the URL of a server, or raises ValueError."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{url!r} is not the URL of a server, such as http://127.0.0.1:8080")
    if parts.username is not None:
        raise ValueError(f"the URL of {parts.hostname} names a user: a server takes a token")
    parts.port  # raises ValueError for one that is no number
    return url.rstrip("/")


class Election:
    """The election under a key. urls are servers on one store; any of them is used.
    bearer is their token, or a function that returns it and is called for each
    request, so that a token can be replaced while this runs. It raises ValueError for what
    is no URL of a server, an empty key or node, and a TTL that is not above 0."""

    def __init__(self, urls, key, node, ttl=15.0, payload="", bearer=None):
        self._urls, self._at = [checked(url) for url in urls], 0
        if not self._urls:
            raise ValueError("no server is named")
        if not key or not node:
            raise ValueError("the key or the node is empty")
        if not ttl > 0:
            raise ValueError(f"the TTL is {ttl:g} s: must be above 0")
        self._silence = Silence(len(self._urls))
        self._path = "/api/v1/elections/" + urllib.parse.quote(key, safe="")
        self._node, self._ttl, self._payload, self._bearer = node, ttl, payload, bearer
        self._stopped = threading.Event()

    def stop(self):
        """Makes run return once the work has ended. May be called by any thread."""
        self._stopped.set()

    def run(self, work):
        """Calls work(term) in each term of this process, until stop or until work
        returns while it leads; returns what work did, or None. It raises Refused if a
        server refuses to be asked, as without a token that it knows."""
        while not self._stopped.is_set():
            term = Term(secrets.token_urlsafe(24), self._stopped)
            quit_keeper = threading.Event()
            keeper = threading.Thread(target=self._keep, args=(term, quit_keeper), daemon=True)
            try:
                if not self._campaign(term):
                    continue
                log.info("leading: node=%s token=%d", self._node, term.token)
                keeper.start()
                result = work(term)
                led, why = term.leads(), term.ending()
                log.log(logging.INFO if led else logging.WARNING, "no longer leading: node=%s token=%d: %s", self._node, term.token, why)
                if led:
                    return result
            finally:
                # In this order: the work has ended, nothing renews any more, and
                # only then another may lead.
                term._lose("the work has ended")
                quit_keeper.set()
                if keeper.ident:
                    keeper.join()
                self._resign(term)
        return None

    def _campaign(self, term):
        """Claims until term leads. Returns False to claim anew, as another instance."""
        while not self._stopped.is_set():
            began = now()
            status, answer = self._claim(term)
            if status == 200:
                return term._trust(answer["token"], began + answer["trust_ms"] / 1000)
            wait = self._ttl / 3
            if status == 409 and answer.get("asked"):
                self._stopped.wait(wait)
                return False
            if status == 409:
                wait = min(wait, answer.get("retry_after_ms", wait * 1000) / 1000)
            elif 400 <= status < 500:
                raise Refused(f"{self._urls[self._at]} refuses the claim: {status}: {answer.get('error', 'is that a leadership serve?')}")
            self._stopped.wait(max(wait, 0.02) * random.uniform(1.0, 1.2))
        return False

    def _keep(self, term, quit_keeper):
        """Renews, about every third of the TTL, until the term is over."""
        wait = self._ttl / 3
        while not quit_keeper.wait(min(wait, term.remaining())) and term.leads():
            began = now()
            status, answer = self._claim(term)
            if status == 200:
                if not term._trust(answer["token"], began + answer["trust_ms"] / 1000):
                    return
                wait = self._ttl / 3
            elif status == 409 and answer.get("asked"):
                return term._leave(f"an operator asked: {answer['asked']}")
            elif status == 409:
                return term._lose(answer.get("error", "another may lead"))
            else:  # nothing is known: the present trust lasts
                wait = max(min(self._ttl / 20, term.remaining() / 8), 0.02)

    def _claim(self, term):
        body = {"node": self._node, "ttl": f"{self._ttl}s", "instance": term.instance, "token": term.token}
        if term._next:
            body["beat"] = term._next
        if self._payload:
            body["payload"] = self._payload
        # While it leads, a try that fails leaves time for another.
        left = term.remaining() / 2
        status, answer = self._post("/claim", body, min(self._ttl / 5, left) if left else self._ttl / 5)
        return (status, answer) if term._heard(status, answer) else (0, {})

    def _resign(self, term):
        """Gives up the seat. If no server answers, others wait for the TTL."""
        body = {"instance": term.instance, "token": term.token}
        if term.beat:  # else it could end the term of a copy that leads on
            body["beat"] = term.beat
        for _ in self._urls:
            if self._post("/resign", body, self._ttl / 5)[0] in (204, 409):
                return

    def _post(self, route, body, timeout):
        """Returns the status and the answer; the status is 0 if there is no answer. The
        next request goes to the next server then."""
        request = urllib.request.Request(
            self._urls[self._at] + self._path + route,
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        why = ""
        try:
            bearer = self._bearer() if callable(self._bearer) else self._bearer
            if bearer:
                request.add_header("Authorization", "Bearer " + bearer)
            with urllib.request.urlopen(request, timeout=max(timeout, 0.05)) as response:
                answer = json.loads(response.read() or b"{}")
                self._silence.ended()
                return response.status, answer
        except urllib.error.HTTPError as error:
            status = error.code
            try:
                answer = json.loads(error.read() or b"{}")
            except (OSError, ValueError, http.client.HTTPException):
                answer = {}
            why = f"{status}: {answer.get('error', error.reason)}" if isinstance(answer, dict) else str(status)
        except (OSError, ValueError, http.client.HTTPException) as error:
            status, answer, why = 0, {}, str(getattr(error, "reason", "") or error or type(error).__name__)
        if status == 0 or status >= 500:
            self._silence.goes_on(self._urls[self._at], why)
            self._at = (self._at + 1) % len(self._urls)
        else:
            self._silence.ended()
        return status, answer if isinstance(answer, dict) else {}


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def run_command(argv, grace):
    """Returns a work function that runs a command, and kills it before its term is
    over, or when this process is killed: then the command alone, and not what that has
    started, as a shell does. It cannot do so while it is frozen, nor kill what has left
    the process group: leadership run can."""

    def work(term):
        environ = dict(os.environ, LEADERSHIP_TOKEN=str(term.token))
        with subprocess.Popen(argv, env=environ, start_new_session=True, preexec_fn=die_with_parent) as process:
            while process.poll() is None and term.leads() and term.remaining() > grace:
                time.sleep(min(0.01, grace / 10))
            if process.poll() is None:
                # For good, though a late answer renews it.
                term._leave("stopped" if term._stopped.is_set() else "not renewed in time")
                os.killpg(process.pid, signal.SIGTERM)
                last = now() + grace * 3 / 4
                while process.poll() is None and term.remaining() > grace / 4 and now() < last:
                    time.sleep(0.001)
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            return process.wait()

    return work


def bearer_of_environment():
    """Returns a function that reads the token in the file LEADERSHIP_WRITE_TOKEN_FILE,
    or the token in LEADERSHIP_WRITE_TOKEN, or None."""
    file = os.environ.get("LEADERSHIP_WRITE_TOKEN_FILE")
    if not file:
        return os.environ.get("LEADERSHIP_WRITE_TOKEN")

    def read():
        with open(file, encoding="utf-8") as token:
            return token.read().strip()

    read()  # an error is reported now
    return read


def main():
    parser = argparse.ArgumentParser(
        description="Runs a command while it leads.",
        epilog="It gets the server's token from the file LEADERSHIP_WRITE_TOKEN_FILE, or from LEADERSHIP_WRITE_TOKEN. "
        "The command has the fencing token of the term in LEADERSHIP_TOKEN. It is ended with the term, and run again in "
        "the next one; when it exits by itself, the seat is given up, and its exit code is that of this program.",
    )
    parser.add_argument("--url", action="append", required=True, help="a server; several are tried in turn, each with a --url")
    parser.add_argument("--key", required=True, help="the election")
    parser.add_argument(
        "--node", default=f"{os.uname().nodename}-{os.getpid()}", help="the name of this node (default the host and the process id)"
    )
    parser.add_argument("--ttl", type=float, default=15.0, help="how long after the last renewal another may lead, in seconds (default 15)")
    parser.add_argument("command", nargs="+", help="the command and its arguments, after --")
    args = parser.parse_args()
    logging.basicConfig(format="%(asctime)s leader.py: %(message)s", level=logging.INFO)
    try:
        election = Election(args.url, args.key, args.node, args.ttl, bearer=bearer_of_environment())
    except (OSError, ValueError) as error:
        parser.error(str(error))

    def end(number):
        log.info("ending: %s", signal.Signals(number).name)
        election.stop()

    def stop(number, _):
        # Not here: what this interrupts may hold the lock that stop takes.
        threading.Thread(target=end, args=(number,)).start()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        code = election.run(run_command(args.command, args.ttl / 5)) or 0
    except Refused as error:
        log.error("%s", error)
        sys.exit(3)
    except OSError as error:
        log.error("the command cannot be run: %s", error)
        sys.exit(127 if isinstance(error, FileNotFoundError) else 126)
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()

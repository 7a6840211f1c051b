"""A thread's keep-alive connection to the provider, and one attempt over it: what the threaded peers share."""
import http.client
import time
import urllib.parse

from chain import TRIES, Chain, Useless, backoff, object_of, retriable, text_of

HEADERS = {"Content-Type": "application/json", "Authorization": "Bearer bench"}


class Line:
    def __init__(self, url: str):
        self.base = urllib.parse.urlsplit(url)
        self.path = self.base.path.rstrip("/") + "/chat/completions"
        self.connection = None

    def post(self, body: bytes) -> bytes:
        for attempt in range(TRIES):
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPConnection(self.base.hostname, self.base.port, timeout=60)
                self.connection.request("POST", self.path, body, HEADERS)
                answer = self.connection.getresponse()
                reply = answer.read()
                if answer.status == 200:
                    return reply
                if not retriable(answer.status):
                    raise Useless
            except (OSError, http.client.HTTPException):
                self.connection.close()
                self.connection = None
            time.sleep(backoff(attempt))
        raise Useless


def attempt(line: Line, chain: Chain, number: int) -> tuple[dict, str, dict] | None:
    """The four calls: the problem, the target's answer and the verdict; None if it is not kept."""
    made = object_of(line.post(chain.engineer(number)), "problem", "answer", "hints")
    if not object_of(line.post(chain.initial(made)), "valid")["valid"]:
        return None
    answered = text_of(line.post(chain.target(made)))
    verdict = object_of(line.post(chain.equivalence(made, answered)), "valid")
    return None if verdict["valid"] else (made, answered, verdict)

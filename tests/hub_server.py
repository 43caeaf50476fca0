"""A Hub in memory, over real HTTP: as much of it as its clients need to create, fill and read models and data sets."""

import hashlib
import re
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from hub_answers import ANSWERS, OPEN, REPO_KINDS, Reply, error

USER = "somebody"
ORGANISATION = "an-organisation"
TOKEN = "hf_" + "ThisIsNoRealToken" * 2


@dataclass
class Commit:
    """What one commit put into a repo, and all that the repo held then."""

    summary: str
    branch: str = "main"
    files: dict[str, bytes] = field(default_factory=dict)
    tree: dict[str, bytes] = field(default_factory=dict)

    @property
    def sha(self) -> str:
        """A name for the commit, of the length of git's."""
        return hashlib.sha1(repr((self.summary, self.branch, sorted(self.tree.items()))).encode()).hexdigest()


@dataclass
class Failure:
    """Something that goes wrong with the next requests for some address.

    Attributes:
        path (`str`): A regular expression of the whole path.
        status (`int`): What is answered; 0 cuts the connection in the middle of an answer.
        times (`int`): How often.
        method (`str`): Of which requests.
        after (`int`): How many such requests are answered as usual before.
    """

    path: str
    status: int
    times: int = 1
    method: str = "POST"
    after: int = 0

    def strikes(self, method: str, path: str) -> bool:
        """Whether it goes wrong this time; counts."""
        if method != self.method or not re.fullmatch(self.path, path) or not self.times:
            return False
        if self.after:
            self.after -= 1
            return False
        self.times -= 1
        return True


class HubServer(ThreadingHTTPServer):
    """Serves while it is entered, on a free port of this machine.

    Only requests that carry [`TOKEN`] may write or read, as if every repo were private; but the content of large files
    goes to an address that asks for none, as it does on the Hub. It belongs to [`USER`], who may write in
    [`ORGANISATION`] too, and nowhere else. Metadata of cards are checked as far as the Hub says what it asks for.

    Attributes:
        files (`dict[str, dict[str, bytes]]`): What the branch `main` of every repo holds, by `user/repo` and path; data
            sets are under `datasets/user/repo`.
        branches (`dict[str, dict[str, dict[str, bytes]]]`): Likewise, of every branch.
        commits (`dict[str, list[Commit]]`): Every commit of every repo, with all that it ever held.
        private (`dict[str, bool | None]`): What was asked for when a repo was made; `None` where nothing was.
        objects (`dict[str, bytes]`): The large files that came, committed or not, by checksum.
        uploads (`list[str]`): The checksums of the large files as they came, in order.
        fail_commits (`bool`): Whether to answer every commit with an internal error, after its large files have come.
        failures (`list[Failure]`): What else goes wrong.
        unknown (`list[str]`): The requests that it could not answer; a test may ask that there are none.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, dict[str, bytes]] = {}
        self.branches: dict[str, dict[str, dict[str, bytes]]] = {}
        self.commits: dict[str, list[Commit]] = {}
        self.private: dict[str, bool | None] = {}
        self.objects: dict[str, bytes] = {}
        self.uploads: list[str] = []
        self.fail_commits = False
        self.failures: list[Failure] = []
        self.unknown: list[str] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where the server listens, for `HF_ENDPOINT` or `HfApi(endpoint=...)`."""
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a program must find in its environment so that it talks to this server, with LFS and not with Xet."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "NO_PROXY": "127.0.0.1",
        }

    def __enter__(self) -> "HubServer":
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.thread.join()
        self.server_close()

    def make(self, repo: str, private: bool | None = None) -> None:
        """Make an empty repo."""
        self.files[repo], self.commits[repo] = {}, []
        self.branches[repo] = {"main": self.files[repo]}
        self.private[repo] = private

    def commit(self, repo: str, summary: str, files: dict[str, bytes], branch: str = "main") -> Commit:
        """Put files into a branch of a repo."""
        self.branches[repo][branch].update(files)
        made = Commit(summary, branch, files, dict(self.branches[repo][branch]))
        self.commits[repo].append(made)
        return made

    def lay(self, repo: str, files: dict[str, bytes]) -> str:
        """Make a repo with files in it, and give the name of its commit."""
        self.make(repo)
        return self.commit(repo, "There since long ago", files).sha

    def tree(self, repo: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """The commit that a branch or the name of a commit means, and all that it holds; `None` where it is unknown."""
        if revision in self.branches[repo]:
            own = [commit.sha for commit in self.commits[repo] if commit.branch == revision]
            return (own[-1] if own else "0" * 40), self.branches[repo][revision]
        return next(((own.sha, own.tree) for own in self.commits[repo] if own.sha == revision), None)

    def everything(self) -> dict[str, list[bytes]]:
        """Every version of every file that any commit held, by path, over all repos."""
        found: dict[str, list[bytes]] = {}
        for commits in self.commits.values():
            for commit in commits:
                for path, content in commit.files.items():
                    found.setdefault(path, []).append(content)
        return found


class _Handler(BaseHTTPRequestHandler):
    """Finds the route of a request, and lets it answer."""

    server: HubServer

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if self._cuts(path):
            return
        body = self._body()
        with self.server.lock:
            status, content, headers = self._route(path, body)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = _answer

    def _cuts(self, path: str) -> bool:
        """Whether this connection breaks off, which it does after a part of what was sent."""
        with self.server.lock:
            cuts = [own for own in self.server.failures if not own.status and own.strikes(self.command, path)]
        if cuts:
            self.rfile.read1(100)
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        return bool(cuts)

    def _route(self, path: str, body: bytes) -> Reply:
        for failure in self.server.failures:
            if failure.status and failure.strikes(self.command, path):
                return error(failure.status, "The server fails because the test wants it to.")
        for method, pattern, function in ANSWERS:
            match = re.fullmatch(pattern, path)
            if match is None or method != self.command.replace("HEAD", "GET"):
                continue
            if function not in OPEN and self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return error(401, "Invalid username or password.")
            names = match.groupdict()
            if "repo" in names:
                names["repo"] = REPO_KINDS[names.pop("kind") or ""] + names["repo"]
                if names["repo"] not in self.server.files:
                    return error(404, "Repository not found", "RepoNotFound")
            return function(self.server, body, **names)
        self.server.unknown.append(f"{self.command} {path}")
        return error(404, "The server of the tests does not know this.")

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def log_message(self, *_: object) -> None:
        """Say nothing: the tests look at what came."""

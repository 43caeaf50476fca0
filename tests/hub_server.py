"""A Hub in memory, over real HTTP: as much of it as `huggingface_hub` needs to create, fill and read model repos."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

USER = "somebody"
TOKEN = "hf_" + "ThisIsNoRealToken" * 2
LFS_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".parquet")
Reply = tuple[int, bytes, dict[str, str]]


@dataclass
class Commit:
    """What one commit put into a repo."""

    summary: str
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def sha(self) -> str:
        """A name for the commit, of the length of git's."""
        return hashlib.sha1(repr((self.summary, sorted(self.files))).encode()).hexdigest()


class HubServer(ThreadingHTTPServer):
    """Serves while it is entered, on a free port of this machine.

    Only requests that carry [`TOKEN`] may write or read, as if every repo were private; but the content of large files
    goes to an address that asks for none, as it does on the Hub.

    Attributes:
        files (`dict[str, dict[str, bytes]]`): The content of every repo, by `user/repo` and path.
        commits (`dict[str, list[Commit]]`): Every commit of every repo, with all that it ever held.
        private (`dict[str, bool | None]`): What was asked for when a repo was made; `None` where nothing was.
        objects (`dict[str, bytes]`): The large files that came, committed or not, by checksum.
        fail_commits (`bool`): Whether to answer every commit with an internal error, after its large files have come.
        unknown (`list[str]`): The requests that it could not answer; a test may ask that there are none.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, dict[str, bytes]] = {}
        self.commits: dict[str, list[Commit]] = {}
        self.private: dict[str, bool | None] = {}
        self.objects: dict[str, bytes] = {}
        self.fail_commits = False
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

    def _route(self, path: str, body: bytes) -> Reply:
        for method, pattern, function in ROUTES:
            match = re.fullmatch(pattern, path)
            if match is None or method != self.command.replace("HEAD", "GET"):
                continue
            if function not in OPEN and self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return _error(401, "Invalid username or password.")
            names = match.groupdict()
            if "repo" in names and names["repo"] not in self.server.files:
                return _error(404, "Repository not found", "RepoNotFound")
            return function(self.server, body, **names)
        self.server.unknown.append(f"{self.command} {path}")
        return _error(404, "The server of the tests does not know this.")

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


def _json(value: Any, status: int = 200) -> Reply:
    return status, json.dumps(value).encode(), {"Content-Type": "application/json"}


def _error(status: int, message: str, code: str | None = None) -> Reply:
    _, content, headers = _json({"error": message})
    return status, content, {**headers, "X-Error-Message": message, **({"X-Error-Code": code} if code else {})}


# What the server answers to


def _whoami(_: HubServer, __: bytes) -> Reply:
    return _json({"type": "user", "name": USER, "orgs": [], "auth": {"type": "access_token"}})


def _harnesses(_: HubServer, __: bytes) -> Reply:
    return _json({"standardEnvVars": [], "harnesses": {}})


def _create(server: HubServer, body: bytes) -> Reply:
    asked = json.loads(body)
    repo = f"{asked.get('organization') or USER}/{asked['name']}"
    answer = {"url": f"{server.url}/{repo}", "name": repo}
    if repo in server.files:
        return _json({**answer, "error": "You already created this model repo"}, 409)
    server.files[repo], server.commits[repo] = {}, []
    server.private[repo] = {"private": True, "public": False}.get(asked.get("visibility", ""), asked.get("private"))
    return _json(answer)


def _validate(_: HubServer, __: bytes) -> Reply:
    return _json({"errors": [], "warnings": []})


def _preupload(_: HubServer, body: bytes, repo: str, revision: str) -> Reply:
    del repo, revision
    paths = [file["path"] for file in json.loads(body)["files"]]
    modes = ["lfs" if path.endswith(LFS_SUFFIXES) else "regular" for path in paths]
    return _json(
        {
            "files": [
                {"path": path, "uploadMode": mode, "shouldIgnore": False}
                for path, mode in zip(paths, modes, strict=True)
            ]
        }
    )


def _batch(server: HubServer, body: bytes, repo: str) -> Reply:
    del repo
    objects = [{"oid": entry["oid"], "size": entry["size"]} for entry in json.loads(body)["objects"]]
    for entry in objects:
        if entry["oid"] not in server.objects:
            entry["actions"] = {"upload": {"href": f"{server.url}/objects/{entry['oid']}"}}
    return _json({"transfer": "basic", "objects": objects})


def _store(server: HubServer, body: bytes, oid: str) -> Reply:
    if hashlib.sha256(body).hexdigest() != oid:
        return _error(400, "The content is not what its checksum says.")
    server.objects[oid] = body
    return _json({})


def _commit(server: HubServer, body: bytes, repo: str, revision: str) -> Reply:
    del revision
    if server.fail_commits:
        return _error(500, "The server fails because the test wants it to.")
    lines = [json.loads(line) for line in body.splitlines()]
    commit = Commit(next(line["value"]["summary"] for line in lines if line["key"] == "header"))
    for line in lines:
        value = line["value"]
        if line["key"] == "file":
            commit.files[value["path"]] = base64.b64decode(value["content"])
        elif line["key"] == "lfsFile":
            commit.files[value["path"]] = server.objects[value["oid"]]
        elif line["key"] != "header":
            server.unknown.append(f"{line['key']} in a commit")
    server.files[repo] |= commit.files
    server.commits[repo].append(commit)
    return _json({"commitUrl": f"{server.url}/{repo}/commit/{commit.sha}", "commitOid": commit.sha})


def _head(server: HubServer, repo: str) -> str:
    return server.commits[repo][-1].sha if server.commits[repo] else "0" * 40


def _info(server: HubServer, _: bytes, repo: str, revision: str | None = None) -> Reply:
    del revision
    siblings = [{"rfilename": path} for path in sorted(server.files[repo])]
    private = bool(server.private[repo])
    return _json({"id": repo, "sha": _head(server, repo), "private": private, "siblings": siblings})


def _tree(server: HubServer, _: bytes, repo: str, revision: str, folder: str | None = None) -> Reply:
    del revision
    entries = [
        {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
        for path, content in sorted(server.files[repo].items())
        if folder is None or path.startswith(folder + "/")
    ]
    return _json(entries) if entries or folder is None else _error(404, "Entry not found", "EntryNotFound")


def _download(server: HubServer, _: bytes, repo: str, revision: str, path: str) -> Reply:
    del revision
    if path not in server.files[repo]:
        return _error(404, "Entry not found", "EntryNotFound")
    content = server.files[repo][path]
    return 200, content, {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": _head(server, repo)}


REPO = r"(?P<repo>[^/]+/[^/]+?)"
ROUTES: list[tuple[str, str, Callable[..., Reply]]] = [
    ("GET", "/api/whoami-v2", _whoami),
    ("GET", "/api/agent-harnesses", _harnesses),
    ("POST", "/api/repos/create", _create),
    ("POST", "/api/validate-yaml", _validate),
    ("POST", f"/api/models/{REPO}/preupload/(?P<revision>[^/]+)", _preupload),
    ("POST", f"/{REPO}\\.git/info/lfs/objects/batch", _batch),
    ("PUT", "/objects/(?P<oid>[0-9a-f]{64})", _store),
    ("POST", f"/api/models/{REPO}/commit/(?P<revision>[^/]+)", _commit),
    ("GET", f"/api/models/{REPO}", _info),
    ("GET", f"/api/models/{REPO}/revision/(?P<revision>[^/]+)", _info),
    ("GET", f"/api/models/{REPO}/tree/(?P<revision>[^/]+)(?:/(?P<folder>.+))?", _tree),
    ("GET", f"/{REPO}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", _download),
]
OPEN = (_harnesses, _store)

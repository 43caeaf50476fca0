"""What the Hub of the tests answers, request by request."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from hub_metadata import metadata_errors

if TYPE_CHECKING:
    from hub_server import HubServer

LFS_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".parquet")
Reply = tuple[int, bytes, dict[str, str]]


def as_json(value: Any, status: int = 200) -> Reply:
    """A reply that holds a value."""
    return status, json.dumps(value).encode(), {"Content-Type": "application/json"}


def error(status: int, message: str, code: str | None = None) -> Reply:
    """A reply that says what is wrong, as the Hub does."""
    _, content, headers = as_json({"error": message})
    return status, content, {**headers, "X-Error-Message": message, **({"X-Error-Code": code} if code else {})}


NO_REVISION = error(404, "Invalid rev id", "RevisionNotFound")
NO_ENTRY = error(404, "Entry not found", "EntryNotFound")


def _whoami(_: HubServer, __: bytes) -> Reply:
    return as_json({"type": "user", "name": "somebody", "orgs": [], "auth": {"type": "access_token"}})


def _harnesses(_: HubServer, __: bytes) -> Reply:
    return as_json({"standardEnvVars": [], "harnesses": {}})


def _create(server: HubServer, body: bytes) -> Reply:
    asked = json.loads(body)
    owner = asked.get("organization") or "somebody"
    repo = f"{owner}/{asked['name']}"
    if owner not in ("somebody", "an-organisation"):
        return error(403, f"You don't have the rights to create a model under the namespace {owner}")
    answer = {"url": f"{server.url}/{repo}", "name": repo}
    if repo in server.files:
        return as_json({**answer, "error": "You already created this model repo"}, 409)
    server.make(repo, {"private": True, "public": False}.get(asked.get("visibility", ""), asked.get("private")))
    return as_json(answer)


def _branch(server: HubServer, _: bytes, repo: str, branch: str) -> Reply:
    if branch in server.branches[repo]:
        return error(409, f"Reference already exists: {branch}")
    server.branches[repo][branch] = dict(server.files[repo])
    return as_json({})


def _validate(_: HubServer, body: bytes) -> Reply:
    asked = json.loads(body)
    errors = [{"message": message} for message in metadata_errors(asked["content"])]
    return as_json({"errors": errors, "warnings": []}, 400 if errors else 200)


def _preupload(server: HubServer, body: bytes, repo: str, revision: str) -> Reply:
    if revision not in server.branches[repo]:
        return NO_REVISION
    paths = [file["path"] for file in json.loads(body)["files"]]
    modes = ["lfs" if path.endswith(LFS_SUFFIXES) else "regular" for path in paths]
    answers = [
        {"path": path, "uploadMode": mode, "shouldIgnore": False} for path, mode in zip(paths, modes, strict=True)
    ]
    return as_json({"files": answers})


def _batch(server: HubServer, body: bytes, repo: str) -> Reply:
    del repo
    objects = [{"oid": entry["oid"], "size": entry["size"]} for entry in json.loads(body)["objects"]]
    for entry in objects:
        if entry["oid"] not in server.objects:
            entry["actions"] = {"upload": {"href": f"{server.url}/objects/{entry['oid']}"}}
    return as_json({"transfer": "basic", "objects": objects})


def _store(server: HubServer, body: bytes, oid: str) -> Reply:
    if hashlib.sha256(body).hexdigest() != oid:
        return error(400, "The content is not what its checksum says.")
    server.objects[oid] = body
    server.uploads.append(oid)
    return as_json({})


def _commit(server: HubServer, body: bytes, repo: str, revision: str) -> Reply:
    if server.fail_commits:
        return error(500, "The server fails because the test wants it to.")
    if revision not in server.branches[repo]:
        return NO_REVISION
    lines = [json.loads(line) for line in body.splitlines()]
    files = {}
    for line in lines:
        value = line["value"]
        if line["key"] == "file":
            files[value["path"]] = base64.b64decode(value["content"])
        elif line["key"] == "lfsFile":
            files[value["path"]] = server.objects[value["oid"]]
        elif line["key"] != "header":
            server.unknown.append(f"{line['key']} in a commit")
    summary = next(line["value"]["summary"] for line in lines if line["key"] == "header")
    sha = server.commit(repo, summary, files, revision).sha
    return as_json({"commitUrl": f"{server.url}/{repo}/commit/{sha}", "commitOid": sha})


def _info(server: HubServer, _: bytes, repo: str, revision: str | None = None) -> Reply:
    if (found := server.tree(repo, revision or "main")) is None:
        return NO_REVISION
    siblings = [{"rfilename": path} for path in sorted(found[1])]
    name = repo.removeprefix("datasets/")
    return as_json({"id": name, "sha": found[0], "private": bool(server.private[repo]), "siblings": siblings})


def _entry(path: str, content: bytes) -> dict[str, Any]:
    return {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}


def _tree(server: HubServer, _: bytes, repo: str, revision: str, folder: str | None = None) -> Reply:
    if (found := server.tree(repo, revision)) is None:
        return NO_REVISION
    inside = {path: content for path, content in found[1].items() if folder is None or path.startswith(folder + "/")}
    entries = [_entry(path, content) for path, content in sorted(inside.items())]
    return as_json(entries) if entries or folder is None else NO_ENTRY


def _paths_info(server: HubServer, body: bytes, repo: str, revision: str) -> Reply:
    if (found := server.tree(repo, revision)) is None:
        return NO_REVISION
    given = body.decode()
    paths = json.loads(given)["paths"] if given.startswith("{") else parse_qs(given).get("paths", [])
    return as_json([_entry(path, found[1][path]) for path in paths if path in found[1]])


def _download(server: HubServer, _: bytes, repo: str, revision: str, path: str) -> Reply:
    if (found := server.tree(repo, revision)) is None:
        return NO_REVISION
    sha, files = found
    if path not in files:
        return NO_ENTRY
    return 200, files[path], {"ETag": f'"{hashlib.sha1(files[path]).hexdigest()}"', "X-Repo-Commit": sha}


REPO_KINDS = {"": "", "models/": "", "datasets/": "datasets/"}
REPO = r"(?P<repo>[^/]+/[^/]+?)"
API = rf"/api/(?P<kind>models/|datasets/){REPO}"
REVISION = "(?P<revision>[^/]+)"
ANSWERS: list[tuple[str, str, Callable[..., Reply]]] = [
    ("GET", "/api/whoami-v2", _whoami),
    ("GET", "/api/agent-harnesses", _harnesses),
    ("POST", "/api/repos/create", _create),
    ("POST", "/api/validate-yaml", _validate),
    ("POST", f"{API}/branch/(?P<branch>[^/]+)", _branch),
    ("POST", f"{API}/preupload/{REVISION}", _preupload),
    ("POST", rf"/(?P<kind>datasets/)?{REPO}\.git/info/lfs/objects/batch", _batch),
    ("PUT", "/objects/(?P<oid>[0-9a-f]{64})", _store),
    ("POST", f"{API}/commit/{REVISION}", _commit),
    ("POST", f"{API}/paths-info/{REVISION}", _paths_info),
    ("GET", API, _info),
    ("GET", f"{API}/revision/{REVISION}", _info),
    ("GET", f"{API}/tree/{REVISION}(?:/(?P<folder>.+))?", _tree),
    ("GET", f"/(?P<kind>datasets/)?{REPO}/resolve/{REVISION}/(?P<path>.+)", _download),
]
OPEN = (_harnesses, _store, _validate)

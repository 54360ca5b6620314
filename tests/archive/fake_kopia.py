#!/usr/bin/env python3
"""A program that answers as kopia does, as far as agentctl calls it: the real one is in no registry.

It keeps whole copies in a folder and insists on what the real one insists on: a connection, the
password of the repository, known arguments.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path


def stop(said: str) -> None:
    sys.stderr.write(f"ERROR {said}\n")
    sys.exit(1)


def secret() -> str:
    return hashlib.sha256(os.environ["KOPIA_PASSWORD"].encode()).hexdigest()


def repository(config: Path) -> Path:
    if not config.exists():
        stop("repository is not connected")
    return Path(json.loads(config.read_text())["path"])


def repository_verb(given: argparse.Namespace) -> None:
    if given.verb == "status":
        repository(given.config)
        return
    marker = Path(given.path) / "kopia.repository"
    if given.verb == "create":
        if marker.exists():
            stop("found existing data in storage location")
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.write_text(secret())
    elif not marker.exists():
        stop("error connecting to repository: repository not initialized in the provided storage")
    if marker.read_text() != secret():
        stop("invalid repository password")
    given.config.write_text(json.dumps({"path": given.path}))


def snapshot_verb(given: argparse.Namespace) -> None:
    root = repository(given.config)
    match given.verb:
        case "create":
            made = uuid.uuid4().hex
            shutil.copytree(given.named[0], root / made / "data")
            tags = {f"tag:{t.partition(':')[0]}": t.partition(":")[2] for t in given.tags}
            at = datetime.now(UTC).isoformat().replace("+00:00", "123Z")
            told = {"id": made, "startTime": at, "tags": tags, "source": {"path": given.named[0]}}
            (root / made / "manifest.json").write_text(json.dumps(told))
            print(json.dumps(told))  # noqa: T201  # a program's answer
        case "list":
            found = [json.loads(p.read_text()) for p in sorted(root.glob("*/manifest.json"))]
            print(json.dumps(found))  # noqa: T201  # a program's answer
        case "restore":
            source = root / given.named[0] / "data"
            if not source.exists():
                stop(f"snapshot {given.named[0]} not found")
            shutil.copytree(source, given.named[1])
        case "delete":
            if not given.delete:
                stop("--delete is needed")
            for one in given.named:
                shutil.rmtree(root / one)
        case "verify":
            for manifest in root.glob("*/manifest.json"):
                json.loads(manifest.read_text())
        case _:
            stop(f"unknown command snapshot {given.verb}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config-file", dest="config", type=Path, required=True)
    parser.add_argument("--no-progress", action="store_true")
    parser.add_argument("--no-check-for-updates", action="store_true")
    parser.add_argument("noun", choices=["repository", "snapshot", "maintenance"])
    parser.add_argument("verb")
    parser.add_argument("named", nargs="*")
    parser.add_argument("--path")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--safety")
    parser.add_argument("--delete", action="store_true")
    parser.add_argument("--tags", action="append", default=[])
    given = parser.parse_intermixed_args()
    if given.noun == "repository":
        repository_verb(given)
    elif given.noun == "snapshot":
        snapshot_verb(given)
    else:
        repository(given.config)


main()

#!/usr/bin/env python3
"""Holds the rules of who may include whom (docs/ARCHITECTURE.md). Says every breach; 1 if any."""

import re
import sys
from pathlib import Path

# A file's layer is its folder in src/, but resources have two: what knows HTTP, and what does not.
MAY_INCLUDE = {
    "base": set(),
    "json": {"base"},
    "db": {"base", "json"},
    "live": {"base", "json"},
    "provider": {"base", "json"},
    "http": {"base", "json", "db", "live"},
    "app": {"base", "json", "db"},
    "app_api": {"base", "json", "db", "app", "http", "live"},
    "work": {"base", "json", "db", "live", "provider", "app"},
    "cli": {"base", "json", "db", "live", "provider", "http", "app", "app_api", "work"},
    "main": {"base", "json", "db", "live", "provider", "http", "app", "app_api", "work", "cli"},
}

# Library headers stay in one room: the header, and the files that may include it.
ROOMS = {
    r"uv\.h": r"http/",
    r"http_parser\.h": r"http/",
    r"openssl/.*": r"http/",
    r"wslay/.*": r"live/",
    r"(cairo|pango)/.*": r"app/timeline/timeline_pdf\.c$",
    r"sqlite3\.h": r"db/db_[a-z_]+\.[ch]$",
    r"libpq-fe\.h": r"db/db_[a-z_]+\.[ch]$",
    r"jansson\.h": r"json/|cli/",
    r"curl/.*": r"provider/|cli/",
    r"cmocka\.h": r"$nowhere",
}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)


def layer(path):
    parts = path.split("/")
    if len(parts) == 1:
        return "main"
    if parts[0] != "app":
        return parts[0]
    if len(parts) == 2 or re.search(r"_api\.[ch]$", path):
        return "app_api"
    return "app"


def source_of(header):
    """The file that a header stands for: itself, or what it was made from."""
    return re.sub(r"_(sql|html)\.h$", r".\1", header)


def breaches(root, path):
    mine = layer(path)
    if mine not in MAY_INCLUDE:
        yield f"the folder {mine}/ has no rule in tools/check_includes.py"
        return
    for own, library in INCLUDE.findall((root / path).read_text(encoding="utf-8")):
        if own:
            theirs = layer(own)
            if not (root / own).exists() and not (root / source_of(own)).exists():
                yield f'"{own}": no such file; name it from src/ on'
            elif theirs != mine and theirs not in MAY_INCLUDE[mine]:
                yield f'"{own}": {mine} may not include {theirs}'
            elif own.endswith("_sql.h") and Path(own).parent != Path(path).parent:
                yield f'"{own}": queries are their own folder\'s'
        for pattern, room in ROOMS.items():
            if library and re.fullmatch(pattern, library) and not re.match(room, path):
                yield f"<{library}> belongs to {room}"


def main():
    root = Path(__file__).resolve().parent.parent / "src"
    found = 0
    for file in sorted(root.rglob("*.[ch]")):
        path = file.relative_to(root).as_posix()
        for breach in breaches(root, path):
            print(f"src/{path}: {breach}")
            found += 1
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()

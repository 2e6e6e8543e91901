#!/usr/bin/env python3
"""Turns SQL files into C, so that every query has a name and is checked when it is built.

    embed_sql.py queries FILE.sql OUT.c OUT.h    the named queries of one file
    embed_sql.py index OUT.c FILE.sql...         the list of all queries
    embed_sql.py migrations OUT.c FILE.sql...    the migrations

The format is described in docs/SQL.md, the C side in src/db/query.h.
"""

import re
import sys
from pathlib import Path

# What a column type is called on each store (SQLite, PostgreSQL), for migrations. SQLite
# takes any other name of PostgreSQL's as it is.
COLUMN_TYPES = {
    "text": ("text", 'text COLLATE "C"'),
    "bytes": ("blob", "bytea"),
}

# Fragments that every file has. Locks a row whose key stays, so that rows which refer to it
# can still come; SQLite has one writer and needs no lock.
FRAGMENTS = {"for_update": {"sqlite": "", "postgres": "FOR NO KEY UPDATE"}}

# Quoted text, comments, casts, parameters and inclusions; all else is copied as it is.
TOKEN = re.compile(
    r"""(?P<quoted>'(?:[^']|'')*'|"(?:[^"]|"")*")
      | (?P<comment>--[^\n]*|/\*.*?\*/)
      | (?P<cast>::)
      | (?P<param>:[A-Za-z_][A-Za-z0-9_]*)
      | (?P<inclusion>\{[A-Za-z_][A-Za-z0-9_]*\})
      | (?P<space>\s+)
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)


class SqlError(Exception):
    """Something in an SQL file that its author has to mend."""


class Query:
    def __init__(self, name, line):
        self.name = name
        self.line = line
        self.global_reason = None
        self.texts = {"sqlite": "", "postgres": ""}
        self.params = []
        self.writes = False


def expand(text, fragments, seen=()):
    """Puts the fragments in; drops comments and needless space; gives a list of (kind, text)."""
    tokens = []
    for match in TOKEN.finditer(text):
        kind = match.lastgroup
        if kind in ("comment", "space"):
            if tokens and tokens[-1][0] != "space":
                tokens.append(("space", " "))
        elif kind == "inclusion":
            name = match.group()[1:-1]
            if name in seen:
                raise SqlError(f"fragment {{{name}}} includes itself")
            if name not in fragments:
                raise SqlError(f"there is no fragment {{{name}}}")
            tokens += expand(fragments[name], fragments, (*seen, name))
        else:
            tokens.append((kind, match.group()))
    while tokens and tokens[-1] in (("space", " "), ("other", ";")):
        tokens.pop()
    return tokens


def writes(tokens):
    """Whether a statement changes rows. FOR UPDATE and FOR NO KEY UPDATE only lock."""
    words = [text.upper() for kind, text in tokens if kind == "word"]
    return any(
        word in ("INSERT", "DELETE") or (word == "UPDATE" and before not in ("FOR", "KEY"))
        for before, word in zip(["", *words], words)
    )


def finish(query, fragments):
    """Numbers the parameters and makes the text of each store."""
    tokens = {}
    for store, text in query.texts.items():
        common = {name: texts[store] for name, texts in FRAGMENTS.items()}
        tokens[store] = expand(text, {**common, **fragments})
    for store, parts in tokens.items():
        if not parts:
            raise SqlError(f"no text for {store}")
        if ("other", ";") in parts:
            raise SqlError("more than one statement")
        names = list(dict.fromkeys(text[1:] for kind, text in parts if kind == "param"))
        if store == "sqlite":
            query.params = names
        elif set(names) != set(query.params):
            odd = ", ".join(sorted(set(names) ^ set(query.params)))
            raise SqlError(f"both stores must use the same parameters, but not so: {odd}")
        if "tenant_id" not in names and not query.global_reason:
            raise SqlError("no :tenant_id; say `-- global: reason` if it crosses tenants")
    if "tenant_id" in query.params and query.global_reason:
        raise SqlError("`-- global:` although it names :tenant_id")
    query.writes = any(writes(parts) for parts in tokens.values())
    numbers = {":" + name: str(i + 1) for i, name in enumerate(query.params)}
    for store, mark in (("sqlite", "?"), ("postgres", "$")):
        query.texts[store] = "".join(
            mark + numbers[text] if kind == "param" else text for kind, text in tokens[store]
        ).strip()


def parse_queries(path):
    """The queries of one file, in its order."""
    fragments = {}
    queries = []
    fragment = None
    stores = None
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        try:
            mark = re.fullmatch(r"--\s*(fragment|query):\s*([a-z][a-z0-9_]*)\s*", line)
            side = re.fullmatch(r"--\s*(sqlite|postgres)\s*", line)
            reason = re.fullmatch(r"\s*--\s*global:\s*(.*)", line)
            if mark and mark.group(1) == "fragment":
                fragment, stores = mark.group(2), None
                if fragment in fragments:
                    raise SqlError(f"fragment {fragment} stands here twice")
                fragments[fragment] = ""
            elif mark:
                fragment, stores = None, ("sqlite", "postgres")
                if any(mark.group(2) == other.name for other in queries):
                    raise SqlError(f"query {mark.group(2)} stands here twice")
                queries.append(Query(mark.group(2), number))
            elif side and queries and stores:
                if stores == ("sqlite", "postgres") and re.search(
                    r"^\s*(?!--)\S", queries[-1].texts["sqlite"], re.MULTILINE
                ):
                    raise SqlError("a text for both stores, and then one for a single store")
                stores = (side.group(1),)
            elif reason and queries and stores:
                if not reason.group(1).strip():
                    raise SqlError("`-- global:` needs its reason")
                queries[-1].global_reason = reason.group(1).strip()
            elif fragment:
                fragments[fragment] += line + "\n"
            elif stores:
                for store in stores:
                    queries[-1].texts[store] += line + "\n"
            elif line.strip() and not line.lstrip().startswith("--"):
                raise SqlError("text before the first `-- query:` or `-- fragment:`")
        except SqlError as fault:
            raise SqlError(f"{path}:{number}: {fault}") from None
    for query in queries:
        try:
            finish(query, fragments)
        except SqlError as fault:
            raise SqlError(f"{path}:{query.line}: {query.name}: {fault}") from None
    return queries


def parse_migration(path):
    """(number, name, text for SQLite, text for PostgreSQL)"""
    match = re.fullmatch(r"(\d{4})_([a-z0-9_]+)\.sql", Path(path).name)
    if not match:
        raise SqlError(f"{path}: a migration is called like 0001_people.sql")
    texts = {"sqlite": "", "postgres": ""}
    stores = ("sqlite", "postgres")
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        side = re.fullmatch(r"--\s*(sqlite|postgres|both)\s*", line)
        if side:
            stores = ("sqlite", "postgres") if side.group(1) == "both" else (side.group(1),)
        else:
            for store in stores:
                texts[store] += line + "\n"
    try:
        for index, store in enumerate(texts):
            types = {name: pair[index] for name, pair in COLUMN_TYPES.items()}
            texts[store] = "".join(text for _, text in expand(texts[store], types)).strip() + ";"
    except SqlError as fault:
        raise SqlError(f"{path}: {fault}") from None
    return int(match.group(1)), match.group(2), texts["sqlite"], texts["postgres"]


def parse_migrations(paths):
    found = sorted(parse_migration(path) for path in paths)
    for expected, (number, name, _, _) in enumerate(found, 1):
        if number != expected:
            raise SqlError(f"sql/: number {expected:04} is missing, found {number:04}_{name}")
    return found


def literal(text):
    """A C string, broken into lines of readable length."""
    pieces = [text[i : i + 80] for i in range(0, len(text), 80)] or [""]
    return "\n        ".join('"' + "".join(map(escape, piece)) + '"' for piece in pieces)


def escape(character):
    if character in '"\\':
        return "\\" + character
    if character == "?":
        return "\\?"  # no trigraph can come of it
    if character == "\n":
        return "\\n"
    if " " <= character <= "~":
        return character
    return "".join(f"\\{byte:03o}" for byte in character.encode())


def write_queries(source, out_c, out_h):
    queries = parse_queries(source)
    header = Path(out_h).name
    guard = "SQL_" + re.sub(r"[^A-Z0-9]", "_", header.upper())
    made = f"/* Made by tools/embed_sql.py from {Path(source).name}. */\n"
    declarations = "".join(f"extern const struct query sql_{q.name};\n" for q in queries)
    Path(out_h).write_text(
        f"{made}#ifndef {guard}\n#define {guard}\n\n#include \"db/query.h\"\n\n"
        f"{declarations}\n#endif\n",
        encoding="utf-8",
    )
    text = f'{made}#include "{header}"\n'
    for query in queries:
        params = "NULL"
        if query.params:
            params = f"(const char *const[]){{{', '.join(map(literal, query.params))}}}"
        text += (
            f"\nconst struct query sql_{query.name} = {{\n    {literal(query.name)},\n"
            f"    {literal(query.texts['sqlite'])},\n    {literal(query.texts['postgres'])},\n"
            f"    {params},\n    {len(query.params)},\n    {str(query.writes).lower()},\n}};\n"
        )
    Path(out_c).write_text(text, encoding="utf-8")


def write_index(out_c, sources):
    owners = {}
    for source in sources:
        for query in parse_queries(source):
            if query.name in owners:
                raise SqlError(f"{source}: {query.name} stands in {owners[query.name]} too")
            owners[query.name] = source
    names = sorted(owners)
    text = '/* Made by tools/embed_sql.py. */\n#include "db/query.h"\n\n'
    text += "".join(f"extern const struct query sql_{name};\n" for name in names)
    text += "\nconst struct query *const all_queries[] = {\n"
    text += "".join(f"    &sql_{name},\n" for name in names) + "    NULL,\n};\n"
    text += f"const size_t all_query_count = {len(names)};\n"
    Path(out_c).write_text(text, encoding="utf-8")


def write_migrations(out_c, sources):
    migrations = parse_migrations(sources)
    text = '/* Made by tools/embed_sql.py. */\n#include "db/query.h"\n\n'
    text += "const struct migration all_migrations[] = {\n"
    for number, name, sqlite, postgres in migrations:
        text += f"    {{{number}, {literal(name)},\n     {literal(sqlite)},\n"
        text += f"     {literal(postgres)}}},\n"
    text += "    {0, NULL, NULL, NULL},\n};\n"
    text += f"const size_t all_migration_count = {len(migrations)};\n"
    Path(out_c).write_text(text, encoding="utf-8")


def main(arguments):
    try:
        if len(arguments) == 4 and arguments[0] == "queries":
            write_queries(*arguments[1:])
        elif len(arguments) >= 2 and arguments[0] == "index":
            write_index(arguments[1], arguments[2:])
        elif len(arguments) >= 2 and arguments[0] == "migrations":
            write_migrations(arguments[1], arguments[2:])
        else:
            sys.exit(__doc__)
    except SqlError as fault:
        sys.exit(str(fault))


if __name__ == "__main__":
    main(sys.argv[1:])

#!/usr/bin/env python3
"""What can be said of the SQL without a store. Says every fault; 1 if any.

The build itself refuses a query without :tenant_id, one with unlike parameters on the two
stores, and a gap in the migrations (tools/embed_sql.py). Here: each table carries its
tenant and begins its keys with it, and no query is left that nobody runs. That each query
is right SQL on both stores is a unit test, which prepares them all.
"""

import re
import sys
from pathlib import Path

import embed_sql

ROOT = Path(__file__).resolve().parent.parent


def table_faults(path):
    """Tables without their tenant. `-- global: reason` before CREATE lifts the rule."""
    text = path.read_text(encoding="utf-8")
    pattern = r"((?:^--[^\n]*\n)*)^CREATE TABLE (\w+) \((.*?)^\);"
    for comments, name, body in re.findall(pattern, text, re.MULTILINE | re.DOTALL):
        if name == "tenants" or re.search(r"^--\s*global:\s*\S", comments, re.MULTILINE):
            continue
        if not re.search(r"^\s*tenant_id uuid NOT NULL", body, re.MULTILINE):
            yield f"table {name} has no tenant_id (say `-- global: reason` if it needs none)"
        for key in re.findall(r"^\s*(?:PRIMARY KEY|UNIQUE) \(([^)]*)\)", body, re.MULTILINE):
            if key.split(",")[0].strip() != "tenant_id":
                yield f"table {name}: the key ({key}) does not begin with tenant_id"


def unused_queries(queries):
    """Queries that no C file names."""
    code = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "src").rglob("*.c"))
    names = set(re.findall(r"\bsql_((?:\w|##)+)", code))
    # A macro pastes its parameters between the parts of a name: sql_customer_page_##lead##_latest.
    pasted = [r"\w+".join(name.split("##")[::2]) + (r"\w+" if name.count("##") % 2 else "")
              for name in names if "##" in name]
    return [query.name for query in queries if query.name not in names
            and not any(re.fullmatch(pattern, query.name) for pattern in pasted)]


def main():
    faults = []
    migrations = sorted((ROOT / "sql").glob("*.sql"))
    try:
        embed_sql.parse_migrations(migrations)
    except embed_sql.SqlError as fault:
        faults.append(str(fault))
    for path in migrations:
        faults += [f"sql/{path.name}: {fault}" for fault in table_faults(path)]
    for path in sorted((ROOT / "src").rglob("*.sql")):
        place = path.relative_to(ROOT)
        try:
            queries = embed_sql.parse_queries(path)
            faults += [f"{place}: {name}: nothing runs it" for name in unused_queries(queries)]
        except embed_sql.SqlError as fault:
            faults.append(str(fault))
    print("\n".join(faults), end="\n" if faults else "")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Turns a file into C, so that the program carries it.

    embed_file.py docs.html OUT.c OUT.h    declares docs_html[] and docs_html_size
"""

import re
import sys
from pathlib import Path


def main(source, out_c, out_h):
    name = re.sub(r"[^a-z0-9]", "_", Path(source).name.lower())
    data = Path(source).read_bytes()
    made = f"/* Made by tools/embed_file.py from {Path(source).name}. */\n"
    guard = f"FILE_{name.upper()}_H"
    Path(out_h).write_text(
        f"{made}#ifndef {guard}\n#define {guard}\n\n#include <stddef.h>\n\n"
        f"extern const char {name}[]; /* a NUL follows that does not count */\n"
        f"extern const size_t {name}_size;\n\n#endif\n",
        encoding="utf-8",
    )
    lines = []
    for start in range(0, len(data), 60):
        octal = "".join(
            chr(byte) if chr(byte).isalnum() and byte < 128 or byte == 32 else f"\\{byte:03o}"
            for byte in data[start : start + 60]
        )
        lines.append(f'    "{octal}"')
    body = "\n".join(lines) or '    ""'
    Path(out_c).write_text(
        f'{made}#include "{Path(out_h).name}"\n\nconst char {name}[] =\n{body};\n'
        f"const size_t {name}_size = {len(data)};\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])

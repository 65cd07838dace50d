"""Reads line protocol with the parser of the package `line-protocol-parser`, which is written in C.

    influx_lines.py < LINES     what each line says, as JSON

A number is a text that names it exactly; one of an integer ends in `i`.
"""

import json
import sys

from line_protocol_parser import parse_line


def shown(value):
    if isinstance(value, bool) or isinstance(value, str):
        return value
    return f"{value}i" if isinstance(value, int) else repr(value)


def read(line):
    point = parse_line(line)
    point["fields"] = {key: shown(value) for key, value in point["fields"].items()}
    return point


# Nothing but a newline ends a line.
lines = sys.stdin.buffer.read().decode().split("\n")
json.dump([read(line) for line in lines if line], sys.stdout)

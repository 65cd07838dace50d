"""Reads bodies of requests to Librato with Python's own `json`.

On standard input stands a JSON list of bodies. For each of their gauges there is one line of JSON on standard output: a list of
its members, each with its name, `int`, `float` or `str`, and its value as a text. What RFC 8259 does not allow (`NaN`, two members
of one name) is refused.
"""

import json
import sys


def refused(constant):
    raise ValueError(f"{constant} is no number in JSON")


def members(pairs):
    names = [name for name, _ in pairs]
    if len(names) != len(set(names)):
        raise ValueError(f"a member is there twice: {names}")
    return dict(pairs)


for body in json.load(sys.stdin):
    read = json.loads(body, parse_constant=refused, object_pairs_hook=members)
    assert list(read) == ["gauges"], list(read)
    for gauge in read["gauges"]:
        shown = [
            [name, type(value).__name__, value if isinstance(value, str) else repr(value)]
            for name, value in gauge.items()
        ]
        print(json.dumps(shown))

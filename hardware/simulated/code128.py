"""Code 128 modules of an ESC/POS barcode string, for the simulated paper. Pure."""

from __future__ import annotations

from barcode.charsets.code128 import CODES

STOP = "1100011101011"
START = {"A": 103, "B": 104, "C": 105}
# Values that change the set from within another.
SHIFT_TO = {"A": 101, "B": 100, "C": 99}


def modules(data: bytes) -> tuple[str, str]:
    """Return the bars (as 1 and 0) and the text of `{B...` data.

    Raises ValueError for data that does not start with its code set.
    """
    if len(data) < 3 or data[:1] != b"{" or chr(data[1]) not in START:
        raise ValueError("Code 128 data starts with its code set")
    code_set = chr(data[1])
    values, text = [START[code_set]], ""
    rest = data[2:]
    while rest:
        byte, rest = rest[0], rest[1:]
        if byte == 0x7B and rest:
            byte, rest = rest[0], rest[1:]
            if chr(byte) in START:
                code_set = chr(byte)
                values.append(SHIFT_TO[code_set])
                continue
        if code_set == "C":
            values.append(byte)
            text += f"{byte:02d}"
        else:
            values.append(byte - 32 if byte >= 32 else byte + 64)
            text += chr(byte) if byte >= 32 else " "
    if not all(0 <= value < len(CODES) for value in values):
        raise ValueError("a byte that Code 128 cannot carry")
    check = sum(value * max(1, place) for place, value in enumerate(values)) % 103
    return "".join(CODES[value] for value in [*values, check]) + STOP, text

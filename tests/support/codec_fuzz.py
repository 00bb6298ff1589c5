"""Throws bytes at every codec of the hardware, guided by the code that they reach.

    PYTHONPATH=. python tests/support/codec_fuzz.py zvt --seconds 600

A target takes any bytes and raises only when a codec raised, believed what it should not
believe, or held more than it may. With atheris (`make fuzz` installs it) the bytes follow
the code's branches; without it they are seeded mutations of real messages. Found cases
are kept in tests/unit/fuzz_cases and played by the test suite.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from hardware.input_device import events
from hardware.keypad.keys import USUAL_CODES, KeypadKeys
from hardware.ports import Attempt, Outcome, Watermark
from hardware.printer.status import (
    LONGEST_WORDS,
    Answers,
    Words,
    is_real_time_answer,
    read_status,
)
from hardware.scale import mettler_8217_codec
from hardware.scanner.framing import Rest, frame
from hardware.scanner.hid_codec import HidKeys
from hardware.scanner.hid_layouts import key_map
from hardware.scanner.label import LONGEST_LABEL
from hardware.scanner.serial_scanner import scan_of
from hardware.simulated.escpos_parse import Parser
from hardware.terminal import nexo_outcome, zvt_apdu, zvt_decide, zvt_serial
from hardware.terminal.nexo_crypto import Key
from hardware.terminal.nexo_envelope import Sealed, open_answer
from hardware.terminal.nexo_messages import Header
from hardware.terminal.redact import redact_text
from hardware.terminal.zvt_messages import Status, read, text_of
from hardware.ups.nut_client import read_line
from kiosk.domain.barcode import norm, parse

CASES = Path(__file__).parents[1] / "unit" / "fuzz_cases"
KEY = Key("Simulated+Lane1", "lane", 1)
HEADER = Header("Payment", "A123456789", "lane-1", "V400m-347374578")
ZVT = Attempt("a", 1299, "EUR", Watermark("29001006", 1))
NEXO = Attempt("a", 1299, "EUR", Watermark("V400m-347374578", 0))
_MOST_HELD = 70_000


def zvt(data: bytes) -> None:
    """A terminal's bytes over TCP, down to what they say of a payment."""
    apdus, rest, broken = zvt_apdu.split(data)
    assert broken is not None or len(rest) <= _MOST_HELD
    for apdu in apdus:
        message = read(apdu, "cp437")
        if isinstance(message, Status):
            zvt_decide.approval(message, ZVT, "cp437", was_offline=False)


def zvt_line(data: bytes) -> None:
    """The same on a serial line, byte by byte."""
    whole, rest = zvt_serial.split(data)
    assert len(rest) <= max(len(data), 1)
    cut: list[Any] = []
    held = b""
    for place in range(0, len(data), 7):
        found, held = zvt_serial.split(held + data[place : place + 7])
        cut += found
    assert (cut, held) == (whole, rest)
    for one in whole:
        if isinstance(one, zvt_serial.Frame) and one.is_good:
            zvt(one.content)


def text(data: bytes) -> None:
    """A terminal's text: no card number survives."""
    shown = redact_text(text_of(data, "cp437"))
    assert redact_text(shown) == shown


def nexo(data: bytes) -> None:
    """An envelope, and the same bytes as what was sealed in one."""
    assert not isinstance(open_answer(KEY, data, HEADER), Sealed)
    told = msgspec.to_builtins(HEADER) | {"MessageType": "Response"}
    head = msgspec.json.encode(told)
    inner = b'{"SaleToPOIResponse":{"MessageHeader":%b,"PaymentResponse":%b}}'
    blob, trailer = KEY.seal(inner % (head, data), bytes(16))
    sealed = {"MessageHeader": told, "NexoBlob": blob, "SecurityTrailer": trailer}
    envelope = msgspec.json.encode({"SaleToPOIResponse": sealed})
    answer = open_answer(KEY, envelope, HEADER)
    if isinstance(answer, Sealed) and answer.answered.payment is not None:
        result = nexo_outcome.paid(NEXO, answer.answered.payment)
        if result.outcome is Outcome.APPROVED:
            assert (result.amount_minor, result.currency) == (1299, "EUR")
        assert sum(c.isdigit() for c in result.masked_pan) <= 10


def escpos(data: bytes) -> None:
    """A printer's answers, and what is written to one."""
    read_status(dict(zip(range(1, 5), data, strict=False)))
    for byte in data:
        is_real_time_answer(byte)
    answers = Answers()
    for place in range(0, len(data), 7):
        for answer in answers.feed(data[place : place + 7]):
            if isinstance(answer, Words):
                assert len(answer.text) <= LONGEST_WORDS
                assert answer.text.isprintable()
    assert len(answers._begun) <= LONGEST_WORDS + 1
    parser = Parser()
    for place in range(0, len(data), 5):
        parser.feed(data[place : place + 5])


def scale(data: bytes) -> None:
    """A scale's bytes."""
    answers, rest = mettler_8217_codec.split(data)
    assert len(rest) < 100
    for answer in answers:
        told = mettler_8217_codec.read(answer)
        if isinstance(told, mettler_8217_codec.Settled):
            assert 0 <= told.grams < 1_000_000


def nut(data: bytes) -> None:
    """A UPS server's line."""
    read_line(data)


def scanner(data: bytes) -> None:
    """A serial scanner's bytes, down to the label's meaning."""
    rest = Rest()
    for place in range(0, len(data), 3):
        framed = frame(rest, data[place : place + 3], 0.0)
        rest = framed.rest
        assert len(rest.received) <= LONGEST_LABEL + 3
        for label in framed.labels:
            scan = scan_of(label)
            parse(scan.data, scan.symbology)
            norm(scan.data, scan.symbology)


def hid(data: bytes) -> None:
    """A keyboard-like scanner's event structures."""
    keys = HidKeys(key_map("de"), accepts_gs=True)
    for heard in (
        keys.hear(list(events(data))),
        keys.hear(list(events(data))),
    ):
        for label in heard.labels:
            assert len(label) <= LONGEST_LABEL


def keypad(data: bytes) -> None:
    """A keypad's event structures."""
    pressed = KeypadKeys(USUAL_CODES).hear(list(events(data)))
    assert len(pressed.keys) <= len(data)


TARGETS: dict[str, Callable[[bytes], None]] = {
    one.__name__: one
    for one in (zvt, zvt_line, text, nexo, escpos, scale, nut, scanner, hid, keypad)
}

# Where the mutations begin: one good message of each kind.
SEEDS: dict[str, tuple[bytes, ...]] = {
    "zvt": (
        bytes.fromhex("040f1427000400000000129949097829290010068700010b000001"),
        bytes.fromhex("04ff010a"),
        bytes.fromhex("060f00"),
    ),
    "zvt_line": (bytes.fromhex("100206010a04000000000110100049097810 03f2ff"),),
    "text": (b"Card 4111 1111 1111 1111", b"4111-1111-1111-1111"),
    "nexo": (
        b'{"Response":{"Result":"Success","AdditionalResponse":"offline=true"},'
        b'"SaleData":{"SaleTransactionID":{"TransactionID":"a"}},"PaymentResult":'
        b'{"AmountsResp":{"AuthorizedAmount":12.99,"Currency":"EUR"},'
        b'"PaymentInstrumentData":{"CardData":{"MaskedPan":"4111111111111111"}}},'
        b'"PaymentReceipt":[{"DocumentQualifier":"CustomerReceipt","OutputContent":'
        b'{"OutputText":[{"Text":"name=A&value=b","EndOfLineFlag":false}]}}]}',
        b'{"SaleToPOIResponse":{"MessageHeader":{},"NexoBlob":"","SecurityTrailer":'
        b'{"AdyenCryptoVersion":1,"KeyIdentifier":"lane","KeyVersion":1,"Nonce":"",'
        b'"Hmac":""}}}',
    ),
    "escpos": (
        b"\x12\x12\x12\x12",
        b"\x1b@\x1bt\x10Milk\n\x1dV\x42\x00",
        b"\x1d(k\x03",
    ),
    "scale": (b"\x0201.250\r", b"\x02?A\r"),
    "nut": (b'VAR lane ups.status "OL CHRG"', b"ERR UNKNOWN-UPS", b"OK"),
    "scanner": (
        b"\x02]E09520000000011\r\n",
        b"]C10109520000000011\x1d10ABC\x1d\r",
        b"https://id.gs1.org/01/09520000000011/10/A\r",
    ),
    "hid": (
        b"".join(bytes(16) + bytes([1, 0, key, 0, 1, 0, 0, 0]) for key in (2, 28)),
    ),
    "keypad": (
        b"".join(bytes(16) + bytes([1, 0, key, 0, 1, 0, 0, 0]) for key in (2, 28)),
    ),
}


def mutated(target: str, random: Random) -> bytes:
    """Return one of a target's seeds with a few bytes changed, cut, doubled or new."""
    data = bytearray(random.choice(SEEDS[target]))
    for _ in range(random.randint(0, 6)):
        place = random.randint(0, len(data))
        match random.randint(0, 4):
            case 0 if data:
                data[place % len(data)] = random.randint(0, 255)
            case 1:
                data[place:place] = random.randbytes(random.randint(1, 8))
            case 2:
                del data[place : place + random.randint(1, 8)]
            case 3:
                data[place:place] = data[place : place + random.randint(1, 60)]
            case _:
                data += random.choice(SEEDS[target])
    return bytes(data)


def main() -> None:
    """Fuzz one target for a while."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("target", choices=TARGETS)
    words.add_argument("--seconds", type=int, default=600)
    asked = words.parse_args()
    target = TARGETS[asked.target]
    try:
        import atheris
    except ImportError:
        _mutate(asked.target, target, asked.seconds)
        return
    corpus = Path("var/fuzz") / asked.target
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[asked.target]):
        (corpus / f"seed-{number}").write_bytes(seed)
    atheris.instrument_all()
    flags = [f"-max_total_time={asked.seconds}", "-max_len=4096", "-timeout=10"]
    flags += [f"-artifact_prefix=var/fuzz/{asked.target}-", "-rss_limit_mb=2048"]
    atheris.Setup([sys.argv[0], *flags, str(corpus)], target)
    atheris.Fuzz()


def _mutate(name: str, target: Callable[[bytes], None], seconds: int) -> None:
    random, until, runs = Random(1), time.monotonic() + seconds, 0
    while time.monotonic() < until:
        data = mutated(name, random)
        try:
            target(data)
        except Exception:
            print(f"{name}: {data.hex()}", file=sys.stderr)
            raise
        runs += 1
    print(f"{name}: {runs} inputs in {seconds} s, no fault")


if __name__ == "__main__":
    main()

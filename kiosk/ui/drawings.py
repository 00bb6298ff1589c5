"""Our own drawings: icons of one colour, and pictures for produce tiles.

Drawn with Pillow at three times the size and shrunk, so that edges are smooth on a
screen without a graphics chip. Coordinates are on a square of 100. No Kivy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from PIL import Image, ImageColor, ImageDraw, ImageFont

from kiosk.ui.environment import FONTS

_OVER = 3
Point = tuple[float, float]


class Pen:
    """Draws on a square of 100 in one colour."""

    def __init__(self, px: int, colour: str) -> None:
        self.size = px * _OVER
        self.image = Image.new("RGBA", (self.size, self.size), (0, 0, 0, 0))
        self.draw = ImageDraw.Draw(self.image)
        self.colour = colour

    def _at(self, value: float) -> float:
        return value * self.size / 100

    def line(self, *points: Point, w: float = 7, colour: str = "") -> None:
        """A line with round ends and corners."""
        colour = colour or self.colour
        flat = [(self._at(x), self._at(y)) for x, y in points]
        self.draw.line(flat, fill=colour, width=round(self._at(w)), joint="curve")
        for x, y in points:
            self.dot(x, y, w / 2, colour)

    def dot(self, x: float, y: float, r: float, colour: str = "") -> None:
        """A filled circle."""
        box = [self._at(v) for v in (x - r, y - r, x + r, y + r)]
        self.draw.ellipse(box, fill=colour or self.colour)

    def oval(self, box: Sequence[float], colour: str = "") -> None:
        """A filled ellipse."""
        self.draw.ellipse([self._at(v) for v in box], fill=colour or self.colour)

    def ring(self, x: float, y: float, r: float, w: float = 7) -> None:
        """A circle's outline."""
        box = [self._at(v) for v in (x - r, y - r, x + r, y + r)]
        self.draw.ellipse(box, outline=self.colour, width=round(self._at(w)))

    def arc(
        self, x: float, y: float, r: float, start: float, end: float, w: float = 7
    ) -> None:
        """A part of a circle's outline, in degrees clockwise from three o'clock."""
        points = [
            (
                x + r * math.cos(math.radians(start + (end - start) * n / 24)),
                y + r * math.sin(math.radians(start + (end - start) * n / 24)),
            )
            for n in range(25)
        ]
        self.line(*points, w=w)

    def box(
        self, box: Sequence[float], r: float = 6, w: float = 7, colour: str = ""
    ) -> None:
        """A rounded rectangle's outline; filled when `w` is nought."""
        place = [self._at(v) for v in box]
        colour = colour or self.colour
        if w:
            self.draw.rounded_rectangle(
                place, self._at(r), outline=colour, width=round(self._at(w))
            )
        else:
            self.draw.rounded_rectangle(place, self._at(r), fill=colour)

    def shape(self, *points: Point, colour: str = "") -> None:
        """A filled polygon."""
        flat = [(self._at(x), self._at(y)) for x, y in points]
        self.draw.polygon(flat, fill=colour or self.colour)

    def text(
        self, words: str, x: float, y: float, size: float, colour: str = ""
    ) -> None:
        """Words, their middle at a point."""
        font = ImageFont.truetype(FONTS["bold"], round(self._at(size)))
        self.draw.text(
            (self._at(x), self._at(y)),
            words,
            font=font,
            fill=colour or self.colour,
            anchor="mm",
        )

    def done(self) -> Image.Image:
        """Return the drawing at its real size."""
        px = self.size // _OVER
        return self.image.resize((px, px), Image.Resampling.LANCZOS)


def drawing(name: str, px: int, colour: str) -> Image.Image:
    """Return a drawing by name: an icon, or a picture for `tile:` and a word."""
    if name.startswith("tile:"):
        return _tile(name.removeprefix("tile:"), px)
    pen = Pen(px, colour)
    ICONS.get(name, _info)(pen)
    return pen.done()


def rounded(radius: int, fill: str, border: str, line: int) -> Image.Image:
    """Return a rounded rectangle of the least size, to be stretched by its middle."""
    side = 2 * radius + 4
    big = side * _OVER
    image = Image.new("RGBA", (big, big), (*ImageColor.getrgb(fill)[:3], 0))
    ImageDraw.Draw(image).rounded_rectangle(
        (0, 0, big - 1, big - 1),
        radius * _OVER,
        fill=fill,
        outline=border or None,
        width=line * _OVER if border else 0,
    )
    return image.resize((side, side), Image.Resampling.LANCZOS)


# -- icons -------------------------------------------------------------------


def _scan(p: Pen) -> None:
    for x, y, dx, dy in (
        (10, 16, 1, 1),
        (90, 16, -1, 1),
        (10, 84, 1, -1),
        (90, 84, -1, -1),
    ):
        p.line((x, y + 16 * dy), (x, y), (x + 16 * dx, y), w=6)
    for x, w in ((27, 8), (39, 4), (48, 9), (60, 4), (70, 8)):
        p.box((x, 30, x + w, 70), r=1, w=0)


def _card(p: Pen) -> None:
    p.box((8, 22, 92, 78), r=9, w=7)
    p.box((10, 37, 90, 49), r=0, w=0)
    p.line((22, 64), (40, 64), w=6)


def _tap_card(p: Pen) -> None:
    p.box((4, 44, 62, 86), r=7, w=6)
    p.box((6, 56, 60, 64), r=0, w=0)
    for r in (14, 27, 40):
        p.arc(50, 36, r, -58, 40, w=6)


def _card_no(p: Pen) -> None:
    _card(p)
    p.dot(78, 76, 21, "#FFFFFF")
    p.line((69, 67), (87, 85), w=7)
    p.line((87, 67), (69, 85), w=7)


def _pin(p: Pen) -> None:
    p.box((22, 6, 78, 94), r=9, w=6)
    p.box((33, 18, 67, 36), r=3, w=0)
    for y in (50, 64, 78):
        for x in (36, 50, 64):
            p.dot(x, y, 4.6)


def _receipt(p: Pen) -> None:
    p.line(
        (22, 10),
        (22, 88),
        (33, 80),
        (42, 88),
        (50, 80),
        (58, 88),
        (67, 80),
        (78, 88),
        (78, 10),
        (22, 10),
        w=6,
    )
    for y, x in ((30, 64), (45, 64), (60, 52)):
        p.line((36, y), (x, y), w=6)


def _help(p: Pen) -> None:
    p.ring(50, 50, 42, 7)
    p.arc(50, 40, 14, -190, 40, w=8)
    p.line((60, 49), (50, 57), (50, 63), w=8)
    p.dot(50, 76, 5.2)


def _bag(p: Pen) -> None:
    p.line((20, 36), (80, 36), (86, 88), (14, 88), (20, 36), w=7)
    p.arc(50, 36, 17, 180, 360, w=7)


def _basket(p: Pen) -> None:
    p.line((10, 42), (90, 42), (80, 84), (20, 84), (10, 42), w=7)
    p.line((28, 40), (42, 14), w=7)
    p.line((72, 40), (58, 14), w=7)
    for x in (36, 50, 64):
        p.line((x, 56), (x, 71), w=6)


def _person(p: Pen) -> None:
    p.dot(50, 29, 19)
    p.draw.pieslice([p._at(v) for v in (14, 54, 86, 130)], 180, 360, fill=p.colour)


def _check(p: Pen) -> None:
    p.line((16, 54), (40, 78), (86, 26), w=11)


def _done(p: Pen) -> None:
    p.dot(50, 50, 45)
    p.line((29, 52), (44, 67), (72, 36), w=9, colour="#FFFFFF")


def _clock(p: Pen) -> None:
    p.ring(50, 50, 42, 7)
    p.line((50, 24), (50, 52), (67, 62), w=7)


def _scale(p: Pen) -> None:
    p.line((10, 28), (90, 28), w=8)
    p.line((50, 28), (50, 42), w=8)
    p.line((26, 44), (74, 44), (84, 88), (16, 88), (26, 44), w=7)
    p.arc(50, 74, 15, 190, 350, w=5)
    p.line((50, 74), (57, 64), w=5)


def _globe(p: Pen) -> None:
    p.ring(50, 50, 41, 6)
    p.draw.ellipse(
        [p._at(v) for v in (31, 9, 69, 91)], outline=p.colour, width=round(p._at(5))
    )
    p.line((12, 37), (88, 37), w=5)
    p.line((12, 63), (88, 63), w=5)


def _back(p: Pen) -> None:
    p.line((60, 18), (28, 50), (60, 82), w=10)


def _up(p: Pen) -> None:
    p.line((20, 64), (50, 34), (80, 64), w=10)


def _down(p: Pen) -> None:
    p.line((20, 36), (50, 66), (80, 36), w=10)


def _minus(p: Pen) -> None:
    p.ring(50, 50, 42, 7)
    p.line((30, 50), (70, 50), w=8)


def _plus(p: Pen) -> None:
    p.ring(50, 50, 42, 7)
    p.line((30, 50), (70, 50), w=8)
    p.line((50, 30), (50, 70), w=8)


def _clear(p: Pen) -> None:
    p.line((22, 22), (78, 78), w=9)
    p.line((78, 22), (22, 78), w=9)


def _erase(p: Pen) -> None:
    p.line((34, 20), (92, 20), (92, 80), (34, 80), (8, 50), (34, 20), w=7)
    p.line((48, 38), (72, 62), w=7)
    p.line((72, 38), (48, 62), w=7)


def _space(p: Pen) -> None:
    p.line((14, 46), (14, 64), (86, 64), (86, 46), w=7)


def _search(p: Pen) -> None:
    p.ring(42, 42, 32, 8)
    p.line((66, 66), (88, 88), w=10)


def _keypad(p: Pen) -> None:
    for y in (20, 50, 80):
        for x in (20, 50, 80):
            p.dot(x, y, 10)


def _apple(p: Pen) -> None:
    p.oval((16, 32, 60, 90))
    p.oval((40, 32, 84, 90))
    p.line((50, 36), (52, 14), w=6)
    p.oval((53, 10, 78, 27))


def _tag(p: Pen) -> None:
    p.line((10, 14), (48, 14), (90, 56), (56, 90), (12, 48), (10, 14), w=7)
    p.dot(30, 33, 7)


def _lock(p: Pen) -> None:
    p.box((20, 44, 80, 90), r=8, w=0)
    p.arc(50, 40, 20, 180, 360, w=8)
    p.line((30, 40), (30, 50), w=8)
    p.line((70, 40), (70, 50), w=8)


def _closed(p: Pen) -> None:
    p.ring(50, 50, 42, 8)
    p.line((26, 50), (74, 50), w=11)


def _open(p: Pen) -> None:
    p.box((16, 10, 66, 90), r=5, w=7)
    p.line((40, 50), (90, 50), w=8)
    p.line((72, 32), (90, 50), (72, 68), w=8)


def _battery(p: Pen) -> None:
    p.box((6, 28, 84, 72), r=7, w=7)
    p.box((88, 41, 96, 59), r=2, w=0)
    p.box((17, 39, 34, 61), r=2, w=0)


def _offline(p: Pen) -> None:
    for r in (20, 38, 56):
        p.arc(50, 82, r, 224, 316, w=8)
    p.dot(50, 81, 7)
    p.line((16, 14), (84, 86), w=8)


def _warning(p: Pen) -> None:
    p.line((50, 12), (92, 86), (8, 86), (50, 12), w=8)
    p.line((50, 40), (50, 60), w=8)
    p.dot(50, 73, 5)


def _info(p: Pen) -> None:
    p.ring(50, 50, 42, 7)
    p.dot(50, 30, 5.5)
    p.line((50, 46), (50, 71), w=8)


def _coupon(p: Pen) -> None:
    p.line(
        (8, 26),
        (92, 26),
        (92, 42),
        (84, 50),
        (92, 58),
        (92, 74),
        (8, 74),
        (8, 58),
        (16, 50),
        (8, 42),
        (8, 26),
        w=6,
    )
    p.line((40, 62), (62, 38), w=6)
    p.dot(40, 41, 5.5)
    p.dot(62, 60, 5.5)


def _list(p: Pen) -> None:
    for y in (24, 50, 76):
        p.dot(16, y, 7)
        p.line((36, y), (88, y), w=8)


def _pause(p: Pen) -> None:
    p.box((24, 16, 42, 84), r=4, w=0)
    p.box((58, 16, 76, 84), r=4, w=0)


def _cap(p: Pen) -> None:
    p.shape((50, 18), (98, 42), (50, 66), (2, 42))
    p.line((24, 56), (24, 72), (50, 84), (76, 72), (76, 56), w=7)


def _till(p: Pen) -> None:
    p.box((10, 52, 90, 88), r=5, w=7)
    p.box((26, 14, 74, 36), r=4, w=6)
    p.line((50, 36), (50, 52), w=7)
    p.line((42, 70), (58, 70), w=7)


def _undo(p: Pen) -> None:
    p.arc(54, 56, 30, 190, 440, w=9)
    p.line((8, 40), (25, 56), (42, 40), w=9)


def _qr(p: Pen) -> None:
    for x, y in ((10, 10), (62, 10), (10, 62)):
        p.box((x, y, x + 28, y + 28), r=3, w=7)
        p.box((x + 11, y + 11, x + 17, y + 17), r=1, w=0)
    for x, y in (
        (62, 62),
        (79, 62),
        (70, 71),
        (62, 80),
        (82, 82),
        (46, 12),
        (46, 30),
        (12, 46),
        (30, 46),
        (47, 47),
        (64, 46),
        (82, 46),
        (46, 64),
        (46, 82),
    ):
        p.box((x, y, x + 8, y + 8), r=1, w=0)


def _wrench(p: Pen) -> None:
    p.line((20, 80), (58, 42), w=16)
    p.arc(66, 34, 20, 20, 250, w=14)


def _usb(p: Pen) -> None:
    p.box((32, 8, 68, 38), r=3, w=7)
    p.box((22, 36, 78, 94), r=8, w=0)
    p.dot(42, 23, 3.5)
    p.dot(58, 23, 3.5)


def _network(p: Pen) -> None:
    p.box((34, 8, 66, 36), r=4, w=7)
    p.box((6, 64, 38, 92), r=4, w=7)
    p.box((62, 64, 94, 92), r=4, w=7)
    p.line((50, 36), (50, 50), w=6)
    p.line((22, 64), (22, 50), (78, 50), (78, 64), w=6)


def _receipt_no(p: Pen) -> None:
    _receipt(p)
    p.line((8, 12), (92, 90), w=17, colour="#FFFFFF")
    p.line((8, 12), (92, 90), w=7)


ICONS: dict[str, Callable[[Pen], None]] = {
    "scan": _scan,
    "card": _card,
    "tap_card": _tap_card,
    "card_no": _card_no,
    "pin": _pin,
    "receipt": _receipt,
    "help": _help,
    "bag": _bag,
    "basket": _basket,
    "person": _person,
    "check": _check,
    "done": _done,
    "clock": _clock,
    "scale": _scale,
    "globe": _globe,
    "back": _back,
    "up": _up,
    "down": _down,
    "minus": _minus,
    "plus": _plus,
    "clear": _clear,
    "erase": _erase,
    "space": _space,
    "search": _search,
    "keypad": _keypad,
    "apple": _apple,
    "tag": _tag,
    "lock": _lock,
    "closed": _closed,
    "open": _open,
    "battery": _battery,
    "offline": _offline,
    "warning": _warning,
    "info": _info,
    "coupon": _coupon,
    "list": _list,
    "pause": _pause,
    "cap": _cap,
    "till": _till,
    "undo": _undo,
    "qr": _qr,
    "receipt_no": _receipt_no,
    "wrench": _wrench,
    "usb": _usb,
    "network": _network,
}


# -- produce -----------------------------------------------------------------

_CALM = ("#C9DDB7", "#F3D9B1", "#E9C7C0", "#CBDCEB", "#DDD0E8", "#F2E3A6")


def _tile(word: str, px: int) -> Image.Image:
    """Draw a fruit we know, or a calm round with its initial and a leaf."""
    pen = Pen(px, "#000000")
    if word in PRODUCE:
        PRODUCE[word](pen)
        return pen.done()
    colour = _CALM[sum(map(ord, word)) % len(_CALM)]
    pen.dot(50, 55, 38, colour)
    pen.line((50, 18), (52, 8), w=4, colour="#6B5A3A")
    pen.oval((52, 3, 74, 17), "#7FA65A")
    pen.text(word[:1], 50, 56, 40, "#10202E")
    return pen.done()


def _leafed(p: Pen, x: float, y: float) -> None:
    p.line((x, y), (x + 2, y - 14), w=4, colour="#6B4F2E")
    p.oval((x + 2, y - 17, x + 24, y - 4), "#5E9B4B")


def _red_apple(p: Pen) -> None:
    p.oval((12, 24, 62, 92), "#C8372D")
    p.oval((38, 24, 88, 92), "#C8372D")
    p.oval((22, 34, 38, 56), "#DF6A5C")
    _leafed(p, 50, 30)


def _pear(p: Pen) -> None:
    p.oval((18, 42, 82, 96), "#B9C441")
    p.oval((32, 16, 68, 66), "#B9C441")
    p.oval((30, 52, 42, 74), "#D4DC7C")
    _leafed(p, 50, 20)


def _banana(p: Pen) -> None:
    p.draw.pieslice([p._at(v) for v in (6, -20, 96, 88)], 10, 150, fill="#F2CB3D")
    p.draw.ellipse([p._at(v) for v in (14, -34, 96, 60)], fill=(0, 0, 0, 0))
    p.line((92, 40), (95, 30), w=6, colour="#7A5B2C")
    p.dot(13, 60, 4, "#7A5B2C")


def _round(p: Pen, skin: str, shine: str) -> None:
    p.dot(50, 54, 40, skin)
    p.oval((24, 30, 44, 48), shine)


def _orange(p: Pen) -> None:
    _round(p, "#F0902B", "#F8B56A")
    _leafed(p, 50, 22)


def _lemon(p: Pen) -> None:
    p.oval((8, 28, 92, 82), "#F4D945")
    p.oval((2, 46, 22, 64), "#F4D945")
    p.oval((78, 46, 98, 64), "#F4D945")
    p.oval((26, 36, 46, 48), "#FAEB92")


def _tomato(p: Pen) -> None:
    p.oval((8, 22, 92, 94), "#D8402F")
    p.oval((22, 36, 40, 54), "#EB7B6C")
    for angle in range(0, 360, 72):
        x, y = (
            50 + 20 * math.sin(math.radians(angle)),
            26 + 9 * math.cos(math.radians(angle)),
        )
        p.line((50, 24), (x, y), w=6, colour="#4F8C3F")
    p.line((50, 24), (53, 10), w=5, colour="#4F8C3F")


def _potato(p: Pen) -> None:
    p.oval((8, 28, 78, 88), "#C69B63")
    p.oval((30, 22, 94, 78), "#C69B63")
    for x, y in ((34, 48), (58, 42), (50, 66), (74, 58), (26, 66)):
        p.dot(x, y, 2.6, "#94703F")


def _carrot(p: Pen) -> None:
    for x in (62, 72, 82):
        p.line((70, 32), (x + 8, 8 + (x - 62)), w=6, colour="#5E9B4B")
    p.shape((56, 22), (80, 46), (14, 92), (9, 87), colour="#E77A25")
    p.dot(67, 35, 16.5, "#E77A25")
    for x, y in ((50, 48), (38, 62), (58, 60)):
        p.line((x, y), (x + 8, y + 5), w=2.5, colour="#B95A14")


def _cucumber(p: Pen) -> None:
    p.line((20, 80), (46, 56), (80, 20), w=26, colour="#3F8A45")
    p.line((22, 74), (44, 52), (72, 24), w=4, colour="#7DBB74")
    p.dot(87, 13, 4, "#2C6232")


def _grape(p: Pen) -> None:
    for row, count in enumerate((4, 3, 4, 3, 2, 1)):
        for n in range(count):
            x, y = 50 + (n - (count - 1) / 2) * 19, 28 + row * 11.5
            p.dot(x, y, 10.5, "#6D4A91")
            p.dot(x - 3, y - 3, 3, "#9A7BBB")
    _leafed(p, 50, 22)


def _onion(p: Pen) -> None:
    p.shape((50, 6), (64, 40), (36, 40), colour="#B8763B")
    p.oval((12, 28, 88, 92), "#C98A49")
    for inset in (14, 27):
        p.draw.arc(
            [p._at(v) for v in (12 + inset, 28, 88 - inset, 92)],
            100,
            260,
            fill="#9A6229",
            width=round(p._at(2)),
        )
        p.draw.arc(
            [p._at(v) for v in (12 + inset, 28, 88 - inset, 92)],
            280,
            440,
            fill="#9A6229",
            width=round(p._at(2)),
        )


def _pepper(p: Pen) -> None:
    for x in (12, 33, 54):
        p.oval((x, 26, x + 34, 92), "#D23B2B")
    p.oval((20, 36, 32, 62), "#E97667")
    p.line((50, 30), (52, 16), (60, 10), w=8, colour="#4F8C3F")


def _pineapple(p: Pen) -> None:
    for x in (30, 40, 50, 60, 70):
        p.line((50, 38), (x, 8 + abs(50 - x) * 0.5), w=7, colour="#4F8C3F")
    p.oval((22, 32, 78, 96), "#DDA436")
    for row in range(5):
        for n in range(-2, 3):
            seed_x, y = 50 + (n + row % 2 / 2) * 12, 42 + row * 11
            if ((seed_x - 50) / 25) ** 2 + ((y - 64) / 29) ** 2 < 1:
                p.dot(seed_x, y, 2.6, "#A87522")


def _loaf(p: Pen) -> None:
    p.oval((6, 28, 94, 84), "#C58A48")
    for x in (28, 47, 66):
        p.line((x, 44), (x + 10, 62), w=5, colour="#EBC58E")


def _croissant(p: Pen) -> None:
    p.draw.pieslice([p._at(v) for v in (4, 16, 96, 108)], 180, 360, fill="#D39A4E")
    p.draw.ellipse([p._at(v) for v in (30, 48, 70, 110)], fill=(0, 0, 0, 0))
    for x, y, u, v in ((24, 34, 36, 54), (50, 17, 50, 46), (76, 34, 64, 54)):
        p.line((x, y), (u, v), w=3, colour="#A66F2A")


def _pretzel(p: Pen) -> None:
    p.colour = "#9A5B25"
    p.ring(32, 42, 24, 11)
    p.ring(68, 42, 24, 11)
    p.arc(50, 50, 36, 20, 160, w=11)
    for x, y in ((20, 26), (80, 26), (50, 84), (36, 80), (64, 80)):
        p.dot(x, y, 2.4, "#FFFFFF")


def _paper_bag(p: Pen) -> None:
    p.shape((16, 34), (84, 34), (90, 94), (10, 94), colour="#C7A77B")
    p.colour = "#8A6A3F"
    p.arc(50, 36, 16, 180, 360, w=6)


PRODUCE: dict[str, Callable[[Pen], None]] = {
    "apple": _red_apple,
    "pear": _pear,
    "banana": _banana,
    "orange": _orange,
    "lemon": _lemon,
    "tomato": _tomato,
    "potato": _potato,
    "carrot": _carrot,
    "cucumber": _cucumber,
    "grape": _grape,
    "onion": _onion,
    "pepper": _pepper,
    "pineapple": _pineapple,
    "roll": _loaf,
    "bread": _loaf,
    "croissant": _croissant,
    "pretzel": _pretzel,
    "bag": _paper_bag,
}

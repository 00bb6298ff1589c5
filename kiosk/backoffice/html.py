"""Web pages as nested values: text is escaped because it is text.

The one place where text becomes HTML. Control characters never get through.
"""

from __future__ import annotations

import html
from typing import TypeAlias

# What has no end tag (HTML Living Standard, 13.1.2).
VOID = {"br", "hr", "img", "input", "link", "meta"}


class Markup(str):
    """Text that is HTML already: made by `tag`, and by nothing else."""

    __slots__ = ()


Child: TypeAlias = "Markup | str | int | None"


def text(value: str | int) -> Markup:
    """Return text as HTML that shows it and does nothing else."""
    if isinstance(value, Markup):
        return value
    shown = "".join(
        char if char.isprintable() or char == "\n" else "\ufffd" for char in str(value)
    )
    return Markup(html.escape(shown, quote=True))


def tag(name: str, /, *children: Child, **attributes: str | int | bool) -> Markup:
    """Return an element. `class_` is class, `_` in names is `-`; None is nothing."""
    opened = [name]
    for key, value in attributes.items():
        attribute = key.rstrip("_").replace("_", "-")
        if value is True:
            opened.append(attribute)
        elif value is not False:
            opened.append(f'{attribute}="{text(value)}"')
    start = f"<{' '.join(opened)}>"
    if name in VOID:
        return Markup(start)
    inner = "".join(text(child) for child in children if child is not None)
    return Markup(f"{start}{inner}</{name}>")


def join(*children: Child) -> Markup:
    """Return children one after the other."""
    return Markup("".join(text(child) for child in children if child is not None))


def table(heads: list[str], rows: list[list[Child]], *, empty: str) -> Markup:
    """Return a table; a head that starts with `#` is a column of numbers."""
    if not rows:
        return tag("p", empty, class_="empty")

    def class_of(head: str) -> str:
        return "number" if head.startswith("#") else ""

    head = tag(
        "tr",
        *(tag("th", h.lstrip("#"), class_=class_of(h), scope="col") for h in heads),
    )
    # On a phone each cell stands under the next and names its column.
    body = [
        tag(
            "tr",
            *(
                tag("td", cell, class_=class_of(h), data_head=h.lstrip("#"))
                for h, cell in zip(heads, row)
            ),
        )
        for row in rows
    ]
    return tag("table", tag("thead", head), tag("tbody", *body))


def page(title: str, *content: Child, refresh_seconds: int = 0) -> bytes:
    """Return a whole page."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="refresh", content=refresh_seconds)
        if refresh_seconds
        else None,
        tag("link", rel="icon", href="data:,"),
        tag("link", rel="stylesheet", href="/style.css"),
        tag("title", title),
    )
    whole = tag("html", head, tag("body", *content), lang="en")
    return b"<!doctype html>\n" + whole.encode()

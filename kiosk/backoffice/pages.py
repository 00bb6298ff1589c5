"""The back office on a page: lanes, sales, what waits for a person, alarms, totals.

Values in, HTML out; nothing is decided and no database is asked here.
"""

from __future__ import annotations

from kiosk.backoffice import claim_pages
from kiosk.backoffice.claims import ClaimSeen
from kiosk.backoffice.html import Child, Markup, join, page, table, tag
from kiosk.backoffice.queries import (
    KEY_DIGITS,
    AlarmSeen,
    AtRisk,
    Day,
    LaneSeen,
    OpenMoney,
    SaleSeen,
    Waiting,
)
from kiosk.backoffice.words import age, clock, money, rate, reason_of
from kiosk.domain.report import Count, Totals

# An attendant looks up from the page and back: as often as that.
REFRESH_SECONDS = 5


def overview(
    store_name: str,
    now_ms: int,
    kiosks: list[ClaimSeen],
    lanes: list[LaneSeen],
    waiting: list[Waiting],
    open_items: list[OpenMoney],
    at_risk: list[AtRisk],
    alarms: list[AlarmSeen],
    sales: list[SaleSeen],
    days: list[Day],
) -> bytes:
    """Return the first page: what needs somebody first, then how things stand."""
    return page(
        store_name,
        _header(store_name, now_ms, lanes),
        tag(
            "main",
            _waiting(waiting, now_ms),
            claim_pages.notice(kiosks),
            _open_items(open_items, now_ms),
            _at_risk(at_risk, _currency(days), now_ms),
            _section("Lanes", *(_lane(lane, now_ms) for lane in lanes), grid=True)
            if lanes
            else _section(
                "Lanes", tag("p", "No lane has enrolled yet.", class_="empty")
            ),
            _alarms(alarms) if alarms else None,
            *(_day(day, len(days) > 1) for day in days),
            _section("Latest sales", _sales(sales)),
        ),
        refresh_seconds=REFRESH_SECONDS,
    )


def _header(store_name: str, now_ms: int, lanes: list[LaneSeen]) -> Markup:
    online = sum(lane.is_online(now_ms) for lane in lanes)
    return tag(
        "header",
        tag("h1", tag("a", store_name, href="/")),
        tag("p", f"{online} of {len(lanes)} lanes online · ", clock(now_ms)),
    )


def _section(title: str, *content: Child, grid: bool = False) -> Markup:
    inside = tag("div", *content, class_="grid") if grid else join(*content)
    return tag("section", tag("h2", title), inside)


def _waiting(waiting: list[Waiting], now_ms: int) -> Markup | None:
    if not waiting:
        return None
    return _section(
        "Waiting for an attendant",
        *(
            tag(
                "a",
                tag("strong", one.lane_id),
                tag("span", reason_of(one.reason)),
                tag("span", age(one.at_ms, now_ms), class_="age"),
                class_="card call",
                href=f"/waiting/{one.lane_id}/{one.asked}",
            )
            for one in waiting
        ),
        grid=True,
    )


def _open_items(items: list[OpenMoney], now_ms: int) -> Markup | None:
    if not items:
        return None
    rows: list[list[Child]] = [
        [
            item.lane_id,
            item.why,
            money(item.amount_minor, item.currency),
            age(item.at_ms, now_ms),
        ]
        for item in items
    ]
    return tag(
        "section",
        tag("h2", "Money to settle"),
        tag("p", "Settle each at its lane: paid, not paid, or taken at the till."),
        table(["Lane", "Why", "#Amount", "#For"], rows, empty=""),
        class_="bad",
    )


def _at_risk(lanes: list[AtRisk], currency: str, now_ms: int) -> Markup | None:
    if not lanes:
        return None
    together = AtRisk(
        "All lanes",
        sum(lane.count for lane in lanes),
        sum(lane.amount_minor for lane in lanes),
        min(lane.since_ms for lane in lanes),
    )
    rows: list[list[Child]] = [
        [
            lane.lane_id,
            str(lane.count),
            money(lane.amount_minor, currency),
            age(lane.since_ms, now_ms),
        ]
        for lane in (*lanes, *([together] if len(lanes) > 1 else []))
    ]
    return tag(
        "section",
        tag("h2", "Cards taken offline, not confirmed yet"),
        tag(
            "p",
            "The bank may still decline these. They go when the terminal is online.",
        ),
        table(["Lane", "#Payments", "#Amount", "#Oldest"], rows, empty=""),
    )


def _currency(days: list[Day]) -> str:
    return next((day.totals.currency for day in days if day.totals.currency), "")


def _lane(lane: LaneSeen, now_ms: int) -> Markup:
    is_online = lane.is_online(now_ms)
    unsent = max(0, lane.head_seq - lane.held_seq)
    facts: list[tuple[str, Child]] = [
        (
            "Last contact",
            age(lane.contact_ms, now_ms) + " ago" if lane.contact_ms else "never",
        ),
        ("Entries", f"{lane.head_seq} written, {lane.held_seq} held"),
        (
            "Oldest unsent",
            age(lane.oldest_unsent_ms, now_ms)
            if unsent and lane.oldest_unsent_ms
            else "none",
        ),
        (
            "Catalogue",
            f"version {lane.catalog_version}" if lane.catalog_version else "none",
        ),
        ("Epoch", lane.epoch or "none yet"),
    ]
    if lane.release:
        facts.append(("Release", lane.release))
    return tag(
        "article",
        tag(
            "h3",
            lane.lane_id,
            tag(
                "span",
                "online" if is_online else "away",
                class_="state good" if is_online else "state away",
            ),
        ),
        tag("p", "This lane's journal became two.", class_="warning")
        if lane.forks
        else None,
        tag("dl", *(join(tag("dt", name), tag("dd", value)) for name, value in facts)),
        class_="card",
    )


def _sales(sales: list[SaleSeen]) -> Markup:
    rows: list[list[Child]] = [
        [
            clock(sale.at_ms),
            sale.lane_id,
            tag("a", str(sale.seq), href=receipt_path(sale)),
            sale.brand or "card",
            join(
                tag("span", sale.undone, class_="state away") if sale.undone else None,
                tag("span", "training", class_="state away") if sale.training else None,
                " ",
                money(sale.amount_minor, sale.currency),
            ),
        ]
        for sale in sales
    ]
    return table(
        ["Time", "Lane", "Sale", "Tender", "#Total"], rows, empty="Nothing sold yet."
    )


def receipt_path(sale: SaleSeen) -> str:
    """Return where one sale's receipt is, for whoever may see it."""
    return f"/r/{sale.lane_id}/{sale.seq}?k={sale.digest[:KEY_DIGITS]}"


def _alarms(alarms: list[AlarmSeen]) -> Markup:
    rows: list[list[Child]] = [
        [clock(alarm.at_ms), alarm.lane_id, alarm.what] for alarm in alarms
    ]
    return _section("Alarms", table(["Time", "Lane", "What"], rows, empty=""))


def _day(day: Day, is_one_of_many: bool) -> Markup:
    totals, currency = day.totals, day.totals.currency
    title = "Today so far (X)" + (f", {day.lane_id}" if is_one_of_many else "")
    made = sum(causes.made for causes in totals.interventions.values())
    return tag(
        "section",
        tag("h2", title),
        tag(
            "div",
            _figure("Sales", str(totals.sales.count)),
            _figure("Total", money(totals.total_minor, currency)),
            _figure("Tax in it", money(totals.tax_minor, currency)),
            _figure("Discounts", money(totals.discount_minor, currency)),
            _figure("Deposits", money(totals.deposit_minor, currency)),
            _figure("Voids, refunds", _both(totals)),
            _figure("Interventions", str(made)),
            _figure("Cards taken offline", _count(totals.offline, currency)),
            class_="figures",
        ),
        tag("div", *_breakdown(totals), class_="halves"),
    )


def _figure(name: str, value: str) -> Markup:
    return tag("div", tag("span", name), tag("strong", value))


def _both(totals: Totals) -> str:
    return _count(totals.voids + totals.refunds, totals.currency)


def _count(count: Count, currency: str) -> str:
    if not count.count:
        return "0"
    return f"{count.count} · {money(count.amount_minor, currency)}"


def _breakdown(totals: Totals) -> list[Markup]:
    currency = totals.currency
    taxes: list[list[Child]] = [
        [
            rate(line),
            money(line.net_minor, currency),
            money(line.tax_minor, currency),
        ]
        for line in totals.taxes
    ]
    tenders: list[list[Child]] = [
        [name, str(count.count), money(count.amount_minor, currency)]
        for name, count in totals.tenders.items()
    ]
    causes: list[list[Child]] = [
        [reason_of(reason), str(c.made), str(c.approved), str(c.refused)]
        for reason, c in sorted(
            totals.interventions.items(), key=lambda pair: -pair[1].made
        )
    ]
    return [
        tag("div", table(["Tax", "#Net", "#Tax"], taxes, empty="No tax yet.")),
        tag(
            "div", table(["Tender", "#Times", "#Amount"], tenders, empty="No card yet.")
        ),
        tag(
            "div",
            table(
                ["Cause", "#Made", "#Approved", "#Refused"],
                causes,
                empty="No intervention yet.",
            ),
        ),
    ]


# -- one thing on a page -----------------------------------------------------


def decide(waiting: Waiting, form_token: str, now_ms: int) -> bytes:
    """Return the page on which an attendant approves or refuses from afar."""
    return page(
        f"{waiting.lane_id}: {reason_of(waiting.reason)}",
        tag("header", tag("h1", tag("a", "\u2190 All lanes", href="/"))),
        tag(
            "main",
            tag(
                "section",
                tag("h2", f"{waiting.lane_id}: {reason_of(waiting.reason)}"),
                tag("p", f"Waiting for {age(waiting.at_ms, now_ms)}."),
                tag(
                    "form",
                    tag("input", type="hidden", name="token", value=form_token),
                    tag(
                        "label",
                        "Your attendant number",
                        tag(
                            "input",
                            name="attendant",
                            required=True,
                            inputmode="numeric",
                            maxlength=20,
                            autocomplete="off",
                        ),
                    ),
                    tag("label", "Reason", tag("input", name="reason", maxlength=100)),
                    tag(
                        "div",
                        tag("button", "Approve", name="order", value="approve"),
                        tag(
                            "button",
                            "Refuse",
                            name="order",
                            value="refuse",
                            class_="second",
                        ),
                        class_="buttons",
                    ),
                    method="post",
                    action=f"/decided/{waiting.lane_id}/{waiting.asked}",
                ),
                class_="narrow",
            ),
        ),
    )


def message(title: str, text: str) -> bytes:
    """Return a page that says one thing."""
    return page(
        title,
        tag(
            "main",
            tag(
                "section",
                tag("h1", title),
                tag("p", text),
                tag("p", tag("a", "All lanes", href="/")),
                class_="narrow",
            ),
        ),
    )

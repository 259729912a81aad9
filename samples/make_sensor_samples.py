"""Make the bundled uplink sample: six snow lasers of Nässjö and Eksjö in January 2026.

    python samples/make_sensor_samples.py [FOLDER]

Run by hand; what it writes is committed. The same code writes the same content every time: only
``random.Random.random`` is drawn from, whose sequence Python guarantees. What is fact and what is invented is
said in ``samples/README.md``.
"""

import base64
import gzip
import json
import math
import sys
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

STOCKHOLM = ZoneInfo("Europe/Stockholm")
START = datetime(2026, 1, 1, tzinfo=STOCKHOLM)
DAYS = 31
SLOT = timedelta(minutes=10)
SLOTS = DAYS * 144

# The panel of Nässjö Affärsverk, 1-21 January 2026: the low and high that nassjo-snow-01 must show.
PANEL_DAYS = 21
PANEL_DEPTH_MM = (0, 650)
PANEL_TENTHS_DEGC = (-142, 37)
PANEL_HUMIDITY_PERCENT = (72, 86)

Knots = tuple[tuple[float, float], ...]
# (days since 1 January, value); they reach a little beyond the panel's extremes, which then cut them off.
SNOW_DEPTH_MM: Knots = (
    (0, 0), (1.5, 0), (2.2, 80), (4, 150), (6, 180), (7, 310), (9, 380), (11, 350), (13, 520), (15.3, 655),
    (17, 600), (19, 540), (21, 500), (24, 430), (27, 300), (31, 180),
)  # fmt: skip
TEMPERATURE_DEGC: Knots = (
    (0, 1.5), (0.6, 3.6), (1.5, 0), (4, -3), (6, -2), (8, -8), (9.3, -14.3), (11, -7), (13, -4), (16, -6),
    (18, -2), (19.5, 1), (21, 0.5), (24, 2), (27, 3), (31, 1),
)  # fmt: skip
HUMIDITY_PERCENT: Knots = (
    (0, 80), (1, 84), (3, 82), (5, 77), (7, 84.5), (9.3, 73.5), (11, 78), (13, 84.5),
    (15, 86), (17, 79), (19, 82), (31, 83),
)  # fmt: skip


@dataclass(frozen=True)
class Laser:
    """One device of the ``sensors`` seed, and how much snow and cold its place has compared with
    nassjo-snow-01.
    """

    device_id: str
    dev_eui: str
    snow: float
    colder_degc: float
    mount_height_mm: int
    angle_deg: float = 0
    zero_offset_mm: int = 0

    @property
    def is_elsys(self) -> bool:
        """Elsys or Milesight, by the maker's prefix."""
        return self.dev_eui.startswith("A81758")

    @property
    def town(self) -> str:
        """The first part of its name."""
        return self.device_id.partition("-")[0]


LASERS = (
    Laser("nassjo-snow-01", "A81758FFFE04A001", 1.0, 0.0, 3000),
    Laser("nassjo-snow-02", "A81758FFFE04A002", 0.85, 0.3, 3000),
    Laser("nassjo-snow-03", "24E124713C140003", 0.9, -0.2, 3200),
    Laser("eksjo-snow-01", "24E124713C140004", 0.7, 0.4, 2800),
    Laser("eksjo-snow-02", "24E124713C140005", 0.75, 0.1, 3000, angle_deg=10),
    Laser("eksjo-snow-03", "A81758FFFE04A006", 1.1, 0.6, 3000, zero_offset_mm=20),
)
PANEL, REMOUNTED, TILTED, REJOINED, DEAD, SENTINEL = (laser.device_id for laser in LASERS)
REMOUNTED_AT, REMOUNTED_HEIGHT_MM = datetime(2026, 1, 12, tzinfo=STOCKHOLM), 2700
TILTED_AT = datetime(2026, 1, 18, tzinfo=STOCKHOLM)
REJOINED_AT = datetime(2026, 1, 14, 9, tzinfo=STOCKHOLM)
DEAD_AT = datetime(2026, 1, 15, tzinfo=STOCKHOLM)
PROBE_MISSING = (datetime(2026, 1, 19, 3, tzinfo=STOCKHOLM), datetime(2026, 1, 19, 7, tzinfo=STOCKHOLM))
NO_ECHO = (datetime(2026, 1, 12, 14, tzinfo=STOCKHOLM), datetime(2026, 1, 12, 17, tzinfo=STOCKHOLM))
CLOCKLESS = (datetime(2026, 1, 20, 10, tzinfo=STOCKHOLM), datetime(2026, 1, 20, 11, tzinfo=STOCKHOLM))
# While a town is offline its gateway keeps the uplinks and hands them over afterwards.
OFFLINE = {
    "nassjo": (datetime(2026, 1, 13, 20, tzinfo=STOCKHOLM), datetime(2026, 1, 14, 6, tzinfo=STOCKHOLM)),
    "eksjo": (datetime(2026, 1, 8, 6, 30, tzinfo=STOCKHOLM), datetime(2026, 1, 10, 6, tzinfo=STOCKHOLM)),
}
TRUNCATED = ("nassjo-snow-02", datetime(2026, 1, 5, 12, tzinfo=STOCKHOLM))
NOT_BASE64 = ("eksjo-snow-02", datetime(2026, 1, 7, 12, tzinfo=STOCKHOLM))
SIMULATED = ("nassjo-snow-02", datetime(2026, 1, 6, 12, tzinfo=STOCKHOLM))
FOREIGN = ("eksjo-snow-01", datetime(2026, 1, 6, 15, tzinfo=STOCKHOLM))
FOREIGN_EUI = "A81758FFFE0FFFFF"

LOST_SHARE, DUPLICATE_SHARE, REDELIVERED_SHARE, UNSET_TIME_SHARE = 0.012, 0.01, 0.003, 0.0005


def between(knots: Knots, days: float) -> float:
    """Straight lines between the knots."""
    right = min(max(bisect([day for day, _ in knots], days), 1), len(knots) - 1)
    (day0, value0), (day1, value1) = knots[right - 1], knots[right]
    return value0 + (value1 - value0) * (days - day0) / (day1 - day0)


def clamp(value: float, bounds: tuple[int, int]) -> int:
    """``value`` rounded, and kept within ``bounds``."""
    return min(max(round(value), bounds[0]), bounds[1])


@dataclass(frozen=True)
class Weather:
    """At one laser and time: snow in mm, air in tenths of a degree, humidity in percent."""

    snow_mm: int
    tenths_degc: int
    humidity_percent: int


def weather(laser: Laser, days: float, noise: Random) -> Weather:
    """The weather at ``laser``, ``days`` after 1 January."""
    hour = days % 1 * 24
    snow = between(SNOW_DEPTH_MM, days) * laser.snow + (noise.random() - 0.5) * 8
    degc = between(TEMPERATURE_DEGC, days) - laser.colder_degc
    degc += 0.7 * math.sin((hour - 9) / 24 * 2 * math.pi) + (noise.random() - 0.5) * 0.6
    humidity = between(HUMIDITY_PERCENT, days) + (noise.random() - 0.5) * 4
    is_panel = laser.device_id == PANEL and days < PANEL_DAYS
    return Weather(
        snow_mm=clamp(snow if between(SNOW_DEPTH_MM, days) else 0, PANEL_DEPTH_MM if is_panel else (0, 900)),
        tenths_degc=clamp(degc * 10, PANEL_TENTHS_DEGC if is_panel else (-250, 100)),
        humidity_percent=clamp(humidity, PANEL_HUMIDITY_PERCENT if is_panel else (40, 100)),
    )


def distance_mm(laser: Laser, at: datetime, snow_mm: int) -> int:
    """What the laser measures above that snow: the inverse of depth = (mount - distance) * cos(angle) -
    offset.
    """
    mount = laser.mount_height_mm
    if laser.device_id == REMOUNTED and at >= REMOUNTED_AT:
        mount = REMOUNTED_HEIGHT_MM
    return math.floor(mount - (snow_mm + laser.zero_offset_mm) / math.cos(math.radians(laser.angle_deg)))


def payload(laser: Laser, at: datetime, slot: int, now: Weather) -> bytes:
    """The bytes the device sends, with the troubles that are its own."""
    distance, tenths = distance_mm(laser, at, now.snow_mm), now.tenths_degc
    is_tilted = laser.device_id == TILTED and at >= TILTED_AT
    if laser.device_id == SENTINEL and NO_ECHO[0] <= at < NO_ECHO[1]:
        distance = 0 if slot % 2 else 0xFFFF
    if laser.device_id == SENTINEL and PROBE_MISSING[0] <= at < PROBE_MISSING[1]:
        tenths = 0x7FFF
    if is_tilted:
        distance = min(round(distance * 1.06), laser.mount_height_mm)
    if laser.is_elsys:
        millivolts = 3630 - slot // 120
        return b"\x01%b\x02%c\x07%b\x0e%b" % (
            tenths.to_bytes(2, "big", signed=True), now.humidity_percent, millivolts.to_bytes(2, "big"),
            distance.to_bytes(2, "big"),
        )  # fmt: skip
    return b"\x01\x75%c\x03\x67%b\x04\x82%b\x05\x00%c" % (
        99 - slot // 1000, tenths.to_bytes(2, "little", signed=True), distance.to_bytes(2, "little"),
        is_tilted,
    )  # fmt: skip


def utc(moment: datetime, nanoseconds: int | None = None) -> str:
    """A time as the server writes it; gateways write microseconds, the server nanoseconds."""
    text = moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00")
    return f"{text}Z" if nanoseconds is None else f"{text}{nanoseconds:03d}Z"


def gateway(town: str, number: int, heard: datetime, noise: Random, has_clock: bool = True) -> dict[str, Any]:
    """One entry of ``rx_metadata``. Only the first gateway of a town has GPS."""
    said: dict[str, Any] = {
        "gateway_ids": {
            "gateway_id": f"{town}-gw-{number}",
            "eui": f"7276FF00{'2D' if town == 'nassjo' else '3E'}0{number:05d}",
        },
    }
    if has_clock:
        said["time"] = utc(heard)
        if number == 1:
            said["gps_time"] = utc(heard)
    said["timestamp"] = int(heard.timestamp() * 1e6) % 2**32
    said["rssi"] = said["channel_rssi"] = -95 - int(noise.random() * 25)
    said["snr"] = round(int(noise.random() * 60) / 4 - 5, 2)
    return said


@dataclass(frozen=True)
class Delivery:
    """One line of a delivery file."""

    received_at: datetime
    line: str


def uplink(
    laser: Laser, received: datetime, network: datetime, session: str, f_cnt: int, data: str,
    gateways: list[dict[str, Any]], noise: Random,
) -> dict[str, Any]:  # fmt: skip
    """The Storage Integration's message: fields that are empty, 0 or false are left out."""
    message: dict[str, Any] = {"session_key_id": session, "f_port": 5 if laser.is_elsys else 85}
    if f_cnt:
        message["f_cnt"] = f_cnt
    message["frm_payload"] = data
    message["rx_metadata"] = gateways
    message["settings"] = {"data_rate": {"lora": {"bandwidth": 125000, "spreading_factor": 9, "coding_rate": "4/5"}}}
    message["settings"]["frequency"] = str(868100000 + 200000 * int(noise.random() * 3))
    message["received_at"] = utc(network, int(noise.random() * 1000))
    message["consumed_airtime"] = "0.185344s"
    return {
        "end_device_ids": {
            "device_id": laser.device_id,
            "application_ids": {"application_id": "hogland-snow"},
            "dev_eui": laser.dev_eui,
            "dev_addr": "260B" + laser.dev_eui[-4:],
        },
        "received_at": utc(received, int(noise.random() * 1000)),
        "uplink_message": message,
    }


def text_of(message: dict[str, Any]) -> str:
    """The line of the Storage Integration."""
    return json.dumps({"result": message}, separators=(",", ":"))


def deliveries(laser: Laser, index: int) -> Iterator[Delivery]:
    """Every delivery of one laser's uplinks, troubles included."""
    noise = Random(20260101 + index)  # noqa: S311 -- sample data
    sessions = [base64.b64encode(bytes(int(noise.random() * 256) for _ in range(16))).decode() for _ in range(2)]
    f_cnt, session = 3000 + 700 * index, sessions[0]
    for slot in range(SLOTS):
        due = START + SLOT * slot
        if laser.device_id == DEAD and due >= DEAD_AT:
            return
        if laser.device_id == REJOINED and due == REJOINED_AT:
            f_cnt, session = -1, sessions[1]
        f_cnt += 1
        heard = due + timedelta(seconds=17 + 83 * index + noise.random() * 3)
        data = payload(laser, due, slot, weather(laser, slot / 144, noise))
        if noise.random() < LOST_SHARE and due not in (REJOINED_AT, TRUNCATED[1], NOT_BASE64[1]):
            continue
        yield from one_uplink(laser, due, heard, session, f_cnt, data, noise)


def one_uplink(
    laser: Laser, due: datetime, heard: datetime, session: str, f_cnt: int, data: bytes, noise: Random
) -> Iterator[Delivery]:
    """The deliveries of one uplink: usually one; now and then repeated, late or damaged."""
    network = heard + timedelta(seconds=0.1 + noise.random() * 0.3)
    offline_from, online_at = OFFLINE[laser.town]
    is_late = offline_from <= heard < online_at
    if is_late:
        network = online_at + (heard - offline_from) / 300
    received = network + timedelta(seconds=0.2)
    has_clock = not (laser.device_id == REJOINED and CLOCKLESS[0] <= due < CLOCKLESS[1])
    numbers = (1,) if is_late or noise.random() < 0.7 or not has_clock else (1, 2)
    delays = [timedelta(seconds=noise.random() * 0.02) for _ in numbers]
    gateways = [
        gateway(laser.town, number, heard + delay, noise, has_clock)
        for number, delay in zip(numbers, delays, strict=True)
    ]
    body = base64.b64encode(data).decode()
    if (laser.device_id, due) == TRUNCATED:
        body = base64.b64encode(data[:-1]).decode()
    if (laser.device_id, due) == NOT_BASE64:
        body = body[:7] + "*" + body[8:]
    message = uplink(laser, received, network, session, f_cnt, body, gateways, noise)
    if noise.random() < UNSET_TIME_SHARE:
        message["received_at"] = "0001-01-01T00:00:00Z"
    if noise.random() < 0.02:
        message["uplink_message"]["decoded_payload"] = {}
    yield Delivery(received, text_of(message))
    if (laser.device_id, due) == SIMULATED:
        yield Delivery(received, text_of(message | {"simulated": True}))
    if (laser.device_id, due) == FOREIGN:
        foreign = message["end_device_ids"] | {"device_id": "someone-elses", "dev_eui": FOREIGN_EUI}
        yield Delivery(received, text_of(message | {"end_device_ids": foreign}))
    if noise.random() < DUPLICATE_SHARE:
        yield Delivery(received + timedelta(milliseconds=1), text_of(message))
    again = received + timedelta(minutes=1 + noise.random() * 20)
    if noise.random() < REDELIVERED_SHARE and local_date(again) == local_date(received):
        other = [gateway(laser.town, 3, heard + timedelta(seconds=0.9), noise, has_clock)]
        repeated = {
            "received_at": utc(again, 0),
            "uplink_message": message["uplink_message"] | {"rx_metadata": other},
        }
        yield Delivery(again, text_of(message | repeated))


def local_date(moment: datetime) -> date:
    """The day in Sweden."""
    return moment.astimezone(STOCKHOLM).date()


def write_uplinks(folder: Path) -> None:
    """One file a local day of delivery, in order of receipt, with the blank lines the server sends."""
    folder.mkdir(parents=True, exist_ok=True)
    everything = [delivery for index, laser in enumerate(LASERS) for delivery in deliveries(laser, index)]
    everything.sort(key=lambda delivery: delivery.received_at)
    by_day: dict[date, list[str]] = {}
    for delivery in everything:
        by_day.setdefault(local_date(delivery.received_at), []).append(delivery.line)
    for day, lines in by_day.items():
        content = "".join(line + "\n\n" for line in lines).encode()
        (folder / f"{day}.ndjson.gz").write_bytes(gzip.compress(content, 9, mtime=0))


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    write_uplinks(target / "tts_hogland")

"""The envelopes network servers put around an uplink, each as SQL that opens many at once.

A message that was pushed to us lies in an envelope of our own (``listener/segments.py``), which is opened first.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sensors_ingest.lines import IS_NOT_BLANK, checked

# How a line that was pushed begins; no network server begins so.
PUSHED_LINE: Final = '{"pushed_at":'
_PUSHED: Final = {"pushed_at": "VARCHAR", "topic": "VARCHAR", "body": "VARCHAR", "body_base64": "VARCHAR"}
_PUSHED_LINES: Final = f"""
        SELECT landing_row, pushed.pushed_at, pushed.topic,
               CASE WHEN pushed IS NULL THEN line
                   ELSE coalesce(pushed.body, try(decode(from_base64(pushed.body_base64)))) END AS body
        FROM (
            SELECT landing_row, line,
                   CASE WHEN starts_with(line, '{PUSHED_LINE}') AND json_valid(line)
                       THEN json_transform(line, '{json.dumps(_PUSHED)}') END AS pushed
            FROM line WHERE {IS_NOT_BLANK}
        )
"""  # noqa: S608 -- built of constants
_BARE_LINES: Final = f"""
        SELECT landing_row, NULL::VARCHAR AS pushed_at, NULL::VARCHAR AS topic, line AS body
        FROM line WHERE {IS_NOT_BLANK}
"""  # noqa: S608 -- built of constants


@dataclass(frozen=True)
class Envelope:
    """``structure`` is what DuckDB's ``json_transform`` picks from a message, ``objects`` where in it the codec's
    object is (left out when no device needs it), and ``opened`` a SELECT from ``message`` with one row a line, of the
    columns below. A message may lie under the key ``wrapper``: then what is there has the key ``wrapped``.

    ``landing_row``, ``is_json``, ``refusal`` (why it is no uplink, or null), ``sensor_id``, ``uplink_key``,
    ``encoded`` (payload, base64), ``object`` (JSON text), ``port``, ``counter`` (of the device's uplinks), ``clocks``
    (list of texts, the gateways' times), ``signals`` (list of snr and rssi, one a gateway), ``network_time`` and
    ``server_time`` (texts; the second where the first is no time), ``received_time`` (text) and ``is_simulated``.
    """

    structure: Mapping[str, Any]
    objects: tuple[str, ...]
    opened: str
    wrapper: str = ""
    wrapped: str = ""

    def messages(self, *, with_objects: bool, are_pushed: bool, are_checked: bool) -> str:
        """SQL: a CTE list that ends with ``opened``, from the table ``line`` (landing_row, line)."""
        structure = self.structure if with_objects else _without(self.structure, self.objects)
        said = checked("body", self._picked(structure), are_checked=are_checked)
        return f"""
    delivered AS ({_PUSHED_LINES if are_pushed else _BARE_LINES}),
    picked AS (SELECT landing_row, pushed_at, topic, body, {said} AS said FROM delivered),
    message AS (
        -- OR would ask the second of all rows.
        SELECT landing_row, pushed_at, topic, body, said,
               CASE WHEN said IS NOT NULL THEN true ELSE coalesce(json_valid(body), false) END AS is_json
        FROM picked
    ),
    opened AS ({self.opened})"""  # noqa: S608 -- built of constants

    def _picked(self, structure: Mapping[str, Any]) -> str:
        """SQL: what a message says. How one begins nearly always tells whether it is wrapped; in others that is looked
        for. Picking both with and without the wrapper, and then one, would copy them all.
        """
        bare = f"try(json_transform(body, '{json.dumps(structure)}'))"
        if not self.wrapper:
            return bare
        wrapped = f"try(json_transform(body, '{json.dumps({self.wrapper: structure})}')).{self.wrapper}"
        first, holds = next(iter(structure)), f"$.{self.wrapper}.{self.wrapped}"
        return f"""CASE
                   WHEN starts_with(body, '{{"{first}":') THEN {bare}
                   WHEN starts_with(body, '{{"{self.wrapper}":{{"{first}":') THEN {wrapped}
                   WHEN try(json_exists(body, '{holds}')) THEN {wrapped}
                   ELSE {bare}
               END"""


def _without(structure: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """``structure`` where what has one of these names is a null, which costs nothing to pick."""
    return {
        name: "NULL" if name in names else _without(value, names) if isinstance(value, dict) else value
        for name, value in structure.items()
    }


_UPLINK: Final = {
    "end_device_ids": {"dev_eui": "VARCHAR"},
    "received_at": "VARCHAR",
    "simulated": "BOOLEAN",
    "uplink_message": {
        "session_key_id": "VARCHAR",
        "f_cnt": "UBIGINT",
        "f_port": "UBIGINT",
        "frm_payload": "VARCHAR",
        "decoded_payload": "JSON",
        "received_at": "VARCHAR",
        "rx_metadata": [{"gps_time": "VARCHAR", "time": "VARCHAR", "rssi": "DOUBLE", "snr": "DOUBLE"}],
    },
}

# What else an application server sends: a webhook may be set to, and a subscription to every topic brings them all.
_NO_UPLINKS: Final = (
    *("join_accept", "downlink_ack", "downlink_nack", "downlink_sent", "downlink_failed", "downlink_queued"),
    *("downlink_queue_invalidated", "location_solved", "service_data", "uplink_normalized"),
)
# Both forms: ``{"result": {...}}`` as the Storage Integration sends it and the bare uplink of a webhook or MQTT. Joins,
# acknowledgements and the like are no readings and no failures: they stay in landing and are not rows.
THE_THINGS_STACK: Final = Envelope(
    {**_UPLINK, "error": {"message": "VARCHAR"}, "message": "VARCHAR"},
    ("decoded_payload",),
    f"""
        SELECT landing_row,
               is_json,
               coalesce(said.error.message, said.message) AS error_message,
               CASE
                   WHEN uplink IS NULL AND error_message IS NOT NULL
                       THEN 'server error instead of an uplink: ' || error_message
                   WHEN uplink IS NULL THEN 'no uplink_message in line'
               END AS refusal,
               upper(said.end_device_ids.dev_eui) AS sensor_id,
               -- A counter of 0 is not sent; without a session as well, only the time tells two uplinks apart.
               sensor_id || '/'
                   || coalesce(uplink.session_key_id, CASE WHEN uplink.f_cnt IS NULL THEN uplink.received_at END, '')
                   || '/' || coalesce(uplink.f_cnt, 0) AS uplink_key,
               uplink.frm_payload AS encoded,
               uplink.decoded_payload::VARCHAR AS object,
               coalesce(uplink.f_port, 0) AS port,
               coalesce(uplink.f_cnt, 0) AS counter,
               list_concat(
                   list_transform(uplink.rx_metadata, lambda gateway: gateway.gps_time),
                   list_transform(uplink.rx_metadata, lambda gateway: gateway.time)
               ) AS clocks,
               list_transform(
                   uplink.rx_metadata, lambda gateway: {{'snr': coalesce(gateway.snr, 0), 'rssi': gateway.rssi}}
               ) AS signals,
               uplink.received_at AS network_time,
               said.received_at AS server_time,
               server_time AS received_time,
               coalesce(said.simulated, false) AS is_simulated
        FROM (SELECT *, said.uplink_message AS uplink FROM message)
        WHERE CASE
            WHEN uplink IS NOT NULL OR error_message IS NOT NULL OR NOT is_json THEN true
            ELSE NOT coalesce(list_has_any(json_keys(body), {list(_NO_UPLINKS)}), false)
        END
    """,  # noqa: S608 -- built of constants
    wrapper="result",
    wrapped="uplink_message",
)

# Versions 4 and 3. Which event a message is, its topic or the query of its address says; a bare file is told by shape.
# Joins, acknowledgements and the like are no readings and no failures: they stay in landing and are not rows. Errors
# are failures of an uplink. Version 3 names no session; the time of receipt keeps counters of two sessions apart.
CHIRPSTACK: Final = Envelope(
    {
        "deduplicationId": "VARCHAR",
        "deviceInfo": {"devEui": "VARCHAR"},
        "devEUI": "VARCHAR",
        "time": "VARCHAR",
        "publishedAt": "VARCHAR",
        "fCnt": "UBIGINT",
        "fPort": "UBIGINT",
        "data": "VARCHAR",
        "object": "JSON",
        "objectJSON": "VARCHAR",
        "rxInfo": [
            {
                **{"gwTime": "VARCHAR", "nsTime": "VARCHAR", "time": "VARCHAR"},
                **{"rssi": "DOUBLE", "snr": "DOUBLE", "loRaSNR": "DOUBLE"},
            }
        ],
        "type": "VARCHAR",
        "error": "VARCHAR",
        "level": "VARCHAR",
        "code": "VARCHAR",
        "description": "VARCHAR",
        "margin": "VARCHAR",
        "acknowledged": "VARCHAR",
        "gatewayId": "VARCHAR",
        "gatewayID": "VARCHAR",
        "location": "VARCHAR",
        "devAddr": "VARCHAR",
    },
    ("object", "objectJSON"),
    """
        SELECT landing_row,
               is_json,
               nullif(regexp_extract(topic, 'event[/=]([a-z]+)', 1), '') AS event,
               said.data IS NOT NULL OR said.object IS NOT NULL OR said.objectJSON IS NOT NULL
                   OR (said.rxInfo IS NOT NULL AND said.fCnt IS NOT NULL AND said.acknowledged IS NULL)
                   AS looks_like_uplink,
               coalesce(event = 'up', looks_like_uplink, false) AS is_uplink,
               coalesce(said.code, said.type) || coalesce(': ' || said.description, ': ' || said.error, '')
                   AS error_message,
               CASE
                   WHEN is_uplink THEN NULL
                   WHEN error_message IS NOT NULL AND coalesce(said.level, 'ERROR') = 'ERROR'
                       THEN 'error event instead of an uplink: ' || error_message
                   ELSE 'no uplink in line'
               END AS refusal,
               CASE WHEN regexp_full_match(eui, '[0-9A-Fa-f]{16}') THEN upper(eui) ELSE hex(try(from_base64(eui))) END
                   AS sensor_id,
               said.data AS encoded,
               coalesce(nullif(said.object::VARCHAR, 'null'), said.objectJSON) AS object,
               coalesce(said.fPort, 0) AS port,
               coalesce(said.fCnt, 0) AS counter,
               list_concat(
                   list_transform(said.rxInfo, lambda gateway: gateway.gwTime),
                   list_transform(said.rxInfo, lambda gateway: gateway.time)
               ) AS clocks,
               list_transform(
                   said.rxInfo,
                   lambda gateway: {'snr': coalesce(gateway.snr, gateway.loRaSNR, 0), 'rssi': gateway.rssi}
               ) AS signals,
               list_min(list_transform(said.rxInfo, lambda gateway: gateway.nsTime)) AS network_time,
               coalesce(said.time, said.publishedAt) AS server_time,
               coalesce(
                   nullif(said.deduplicationId, ''),
                   sensor_id || '/' || coalesce(list_min(clocks), network_time, server_time, '') || '/'
                       || coalesce(said.fCnt, 0)
               ) AS uplink_key,
               pushed_at AS received_time,
               false AS is_simulated
        FROM (SELECT *, coalesce(said.deviceInfo.devEui, said.devEUI) AS eui FROM message)
        WHERE is_uplink OR refusal <> 'no uplink in line' OR NOT is_json OR NOT coalesce(
            event IN ('join', 'status', 'ack', 'txack', 'log', 'location', 'integration'),
            coalesce(
                said.margin, said.acknowledged, said.gatewayId, said.gatewayID, said.location, said.devAddr, said.level
            ) IS NOT NULL
        )
    """,
)

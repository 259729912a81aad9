"""Emulated feeds of observations: Trafikverket, Metry, SensorThings and NGSI-LD, each with its own conventions."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

from tests.servers import Answer, Request


def as_json(content: object) -> bytes:
    return json.dumps(content).encode()


def changes(kind: str | None, page: Sequence[Any], last_id: str | None, *, is_whole: bool = True) -> Answer:
    """An answer of Trafikverket. What is too large for it comes as 206, with an error beside the records it holds."""
    result: dict[str, Any] = {kind or "": page, "INFO": {"LASTCHANGEID": last_id} if last_id is not None else {}}
    if not is_whole:
        result["ERROR"] = {"SOURCE": "datacache", "MESSAGE": "The result is too large and not complete"}
    return Answer(200 if is_whole else 206, as_json({"RESPONSE": {"RESULT": [result]}}), is_gzipped=True)


class Trafikverket:
    """Records in order of change: the n-th record has change id n. An answer names the greatest id of its records, and
    an empty one ``empty_id``, or the id that it was asked for.
    """

    def __init__(self, key: str, records: Sequence[Mapping[str, Any]], largest_page: int = 1000) -> None:
        self.key = key
        self.records = list(records)
        self.largest_page = largest_page
        self.empty_id: str | None = "as asked"
        self.asked: list[str] = []
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Answer:
        self.requests.append(request)
        if request.path != "/v2/data.json" or request.headers.get("Content-Type") != "text/xml":
            return Answer(400, b"Bad request")
        question = ElementTree.fromstring(request.body)
        login, query = question.find("LOGIN"), question.find("QUERY")
        assert login is not None and query is not None
        if login.get("authenticationkey") != self.key:
            message = f"Invalid authentication: {login.get('authenticationkey')}"
            error = {"SOURCE": "Security", "MESSAGE": message}
            return Answer(401, as_json({"RESPONSE": {"RESULT": [{"ERROR": error}]}}))
        if query.get("namespace") != "road.weatherinfo":
            error = {"SOURCE": "Request", "MESSAGE": "ObjectType does not exists"}
            return Answer(400, as_json({"RESPONSE": {"RESULT": [{"ERROR": error}]}}))
        change_id, limit = int(query.get("changeid", "")), int(query.get("limit", ""))
        self.asked.append(str(change_id))
        page = self.records[change_id : change_id + min(limit, self.largest_page)]
        last_id = str(change_id + len(page)) if page or self.empty_id == "as asked" else self.empty_id
        is_whole = len(page) == limit or change_id + len(page) >= len(self.records)
        return changes(query.get("objecttype"), page, last_id, is_whole=is_whole)


class RoadWeather(Trafikverket):
    """Measuring points with a sample every ten minutes. ``WeatherMeasurepoint`` holds the newest of each point, and
    ``WeatherObservation`` those of the last seven days; a newer sample takes the change id of no other.
    """

    def __init__(self, key: str, points: Sequence[str], largest_page: int = 1000) -> None:
        super().__init__(key, [], largest_page)
        self.points = points
        self.samples: list[tuple[str, datetime]] = []

    def measure(self, first: datetime, last: datetime) -> None:
        """A sample of every point every ten minutes from ``first`` until before ``last``."""
        while first < last:
            self.samples += [(point, first) for point in self.points]
            first += timedelta(minutes=10)

    def __call__(self, request: Request) -> Answer:
        question = ElementTree.fromstring(request.body)
        query = question.find("QUERY")
        assert query is not None
        self.requests.append(request)
        asked = int(query.get("changeid", ""))
        self.asked.append(str(asked))
        is_history = query.get("objecttype") == "WeatherObservation"
        newest = {point: number for number, (point, _) in enumerate(self.samples, 1)}
        kept_from = self.samples[-1][1] - timedelta(days=7)
        changed = [
            (number, point, sampled_at)
            for number, (point, sampled_at) in enumerate(self.samples, 1)
            if number > asked and (sampled_at > kept_from if is_history else newest[point] == number)
        ][: min(int(query.get("limit", "")), self.largest_page)]
        records = [self._record(is_history, *each) for each in changed]
        return changes(query.get("objecttype"), records, str(changed[-1][0] if changed else asked))

    @staticmethod
    def _record(is_history: bool, number: int, point: str, sampled_at: datetime) -> dict[str, Any]:
        observation = {"Sample": sampled_at.isoformat(), "Air": {"Temperature": {"Value": number % 20}}}
        if is_history:
            return {"Id": f"{point}-{number}", "Measurepoint": {"Id": point}} | observation
        return {"Id": point, "Observation": observation}


class Metry:
    """Meters with hourly energy from a start; ``pages`` splits the periods of one meter over several answers."""

    def __init__(self, token: str, data: Mapping[str, Sequence[Any]], page_size: int = 50) -> None:
        self.token = token
        self.data = data
        self.page_size = page_size
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Answer:
        self.requests.append(request)
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return Answer(401, as_json({"code": 401, "message": "Unauthorized"}))
        match = re.fullmatch(r"/api/v2/consumptions/([^/]+)/(hour|day|month)/(\d{8})-(\d{8})", request.path)
        if match is None or match[1] not in self.data:
            return Answer(404, as_json({"code": 404, "message": "Meter not found"}))
        skip = int(request.query["skip"])
        page = self.data[match[1]][skip : skip + self.page_size]
        return Answer(200, as_json({"code": 200, "data": page}), is_gzipped=True)


class SensorThings:
    """One data stream; observations are (time, result). It pages by ``@iot.nextLink`` and knows both forms. An interval
    is before a moment when its end is, and after one when its start is: as with FROST.
    """

    def __init__(self, observations: Sequence[tuple[str, Any]], page_size: int = 2, elsewhere: str = "") -> None:
        self.observations = observations
        self.page_size = page_size
        self.elsewhere = elsewhere
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Answer:
        self.requests.append(request)
        if request.path == "/v1.1/Datastreams(12)":
            unit = {"name": "degree Celsius", "symbol": "°C", "definition": "ucum:Cel"}
            return Answer(200, as_json({"@iot.id": 12, "name": "roof", "unitOfMeasurement": unit}))
        if request.path != "/v1.1/Datastreams(12)/Observations":
            return Answer(404, as_json({"code": 404, "type": "error", "message": "Nothing found"}))
        first, last = re.findall(r"phenomenonTime (?:ge|lt) (\S+)", request.query["$filter"])
        chosen = [each for each in self.observations if self._is_between(each[0], first, last)]
        skip = int(request.query.get("$skip", 0))
        page = chosen[skip : skip + self.page_size]
        if request.query.get("$resultFormat") == "dataArray":
            cells = [[number, time, result] for number, (time, result) in enumerate(page)]
            value: list[Any] = [{"components": ["id", "phenomenonTime", "result"], "dataArray": cells}]
        else:
            value = [{"phenomenonTime": time, "result": result, "resultTime": None} for time, result in page]
        answer: dict[str, Any] = {"value": value}
        if skip + self.page_size < len(chosen):
            query = {**request.query, "$skip": str(skip + self.page_size)}
            host = self.elsewhere or request.url
            answer["@iot.nextLink"] = f"{host}{request.path}?" + "&".join(f"{k}={v}" for k, v in query.items())
        return Answer(200, as_json(answer))

    @staticmethod
    def _is_between(time: str, first: str, last: str) -> bool:
        start, _, end = time.partition("/")
        return first <= start[:19] + "Z" < last and (end or start)[:19] + "Z" <= last


class ContextBroker:
    """NGSI-LD: entities by ``Link`` (or only by count), and the ``history`` of one, attribute → (time, value)s."""

    def __init__(
        self,
        entities: Sequence[Mapping[str, Any]] = (),
        history: Mapping[str, Sequence[tuple[str, float]]] | None = None,
        *,
        has_link: bool = True,
        page_size: int = 2,
    ) -> None:
        self.entities = entities
        self.histories = history or {}
        self.has_link = has_link
        self.page_size = page_size
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Answer:
        self.requests.append(request)
        if request.path == "/ngsi-ld/v1/entities":
            return self._entities(request)
        if request.path == "/ngsi-ld/v1/temporal/entities/urn%3Angsi-ld%3Aroof":
            return self._history(request)
        return self._not_found()

    @staticmethod
    def _not_found() -> Answer:
        problem = {"type": "https://uri.etsi.org/ngsi-ld/errors/ResourceNotFound", "title": "No such entity"}
        return Answer(404, as_json(problem))

    def _entities(self, request: Request) -> Answer:
        offset = int(request.query.get("offset", 0))
        page = self.entities[offset : offset + self.page_size]
        headers = {"NGSILD-Results-Count": str(len(self.entities))}
        if self.has_link and offset + self.page_size < len(self.entities):
            context = '<https://example.org/context.jsonld>; rel="http://www.w3.org/ns/json-ld#context"'
            following = f"</ngsi-ld/v1/entities?type=WeatherObserved&offset={offset + self.page_size}>"
            headers["Link"] = f'{context}, {following}; rel="next"; type="application/ld+json"'
        return Answer(200, as_json(page), headers)

    def _chosen(self, request: Request, *, is_start_included: bool) -> dict[str, list[tuple[str, float]]]:
        """What is asked for of each attribute."""
        first, last = (datetime.fromisoformat(request.query[name]) for name in ("timeAt", "endTimeAt"))
        asked = request.query.get("attrs", ",".join(self.histories)).split(",")
        return {
            name: [
                (time, value)
                for time, value in told
                if first < (at := datetime.fromisoformat(time)) < last or (is_start_included and at == first)
            ]
            for name, told in self.histories.items()
            if name in asked
        }

    def _cut(self, chosen: Mapping[str, list[tuple[str, float]]], start: int = 0) -> dict[str, list[tuple[str, float]]]:
        return {name: told[start : start + self.page_size] for name, told in chosen.items()}

    def _told(self, request: Request, chosen: Mapping[str, Sequence[tuple[str, float]]], end: str) -> Answer:
        body = {
            name: [{"type": "Property", "value": value, "observedAt": time} for time, value in told]
            for name, told in chosen.items()
            if told
        }
        said = as_json({"id": "urn:ngsi-ld:roof", "type": "WeatherObserved"} | body)
        if not end:
            return Answer(200, said)
        return Answer(206, said, {"Content-Range": f"date-time {request.query['timeAt']}-{end}/*"})

    def _history(self, request: Request) -> Answer:
        """As Mintaka, the temporal interface of Orion-LD: ``timeAt`` itself is left out, and the range ends with the
        newest instance of any attribute, however early another was cut. Who has no such attribute is told alone.
        """
        chosen = self._cut(self._chosen(request, is_start_included=False))
        is_cut = any(len(told) == self.page_size for told in chosen.values())
        return self._told(request, chosen, max(time for told in chosen.values() for time, _ in told) if is_cut else "")


class Stellio(ContextBroker):
    """As Stellio: ``timeAt`` itself belongs to the range, which ends for all attributes where the first was cut. An
    attribute that there is not is 404. With ``has_http_dates`` the range is told as its earlier versions did.
    """

    has_http_dates = False

    def _history(self, request: Request) -> Answer:
        chosen = self._cut(self._chosen(request, is_start_included=True))
        if not chosen:
            return self._not_found()
        ends = [told[-1][0] for told in chosen.values() if len(told) == self.page_size]
        end = min(ends, default="")
        chosen = {name: [each for each in told if each[0] <= (end or "9")] for name, told in chosen.items()}
        if end and self.has_http_dates:
            end = format_datetime(datetime.fromisoformat(end), usegmt=True)
        return self._told(request, chosen, end)


class Linked(ContextBroker):
    """As TS 104-176, which follows version 1 of the specification: parts are 200, and each links the next, which holds
    later instances or, where the newest come first, earlier ones.
    """

    relation = "intervalafter"

    def _history(self, request: Request) -> Answer:
        chosen = self._chosen(request, is_start_included=True)
        if self.relation == "intervalbefore":
            chosen = {name: told[::-1] for name, told in chosen.items()}
        start = int(request.query.get("offsetN", 0))
        following = start + self.page_size
        answer = self._told(request, self._cut(chosen, start), "")
        if all(len(told) <= following for told in chosen.values()):
            return answer
        query = urlencode({**request.query, "firstN": self.page_size, "offsetN": following})
        link = f'<{request.path}?{query}>; rel="{self.relation}"; type="application/ld+json"'
        return replace(answer, headers={"Link": link})

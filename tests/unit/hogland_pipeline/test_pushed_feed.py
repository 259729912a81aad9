"""The trigger of a pushed feed: once for what was sealed, and not again."""

from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import dagster as dg

from hogland_pipeline.jobs import source_job
from hogland_pipeline.resources import BoundSource
from hogland_pipeline.schedules import pushed_segments_trigger
from sensors_ingest.landing import Landing
from sensors_ingest.listener.segments import Message, line_of


def seal(landing: Landing, day: date, body: bytes) -> None:
    line = line_of(Message("t", body, datetime(2026, 1, 5, tzinfo=UTC)))
    landing.write("pushed", [line], address="mqtt://x:1", suffix="ndjson", day=day)


def test_sealed_segments_start_one_load(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    bound = cast(BoundSource, SimpleNamespace(source=SimpleNamespace(name="pushed")))
    trigger: Any = pushed_segments_trigger(bound, landing, source_job("pushed"))
    context = dg.build_sensor_context(cursor=None)

    assert isinstance(trigger(context), dg.SkipReason)
    seal(landing, date(2026, 1, 5), b"1")
    assert isinstance(trigger(context), dg.RunRequest)
    assert isinstance(trigger(context), dg.SkipReason)
    seal(landing, date(2026, 1, 5), b"2")
    assert isinstance(trigger(context), dg.RunRequest)
    seal(landing, date(2026, 1, 6), b"3")
    assert isinstance(trigger(context), dg.RunRequest)
    assert isinstance(trigger(context), dg.SkipReason)

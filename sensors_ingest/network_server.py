"""Uplinks that a LoRaWAN network server delivers by itself: pushed to the listener, or as files in a folder.

What the listener took lies in landing already (``listener/segments.py``), so there is nothing to fetch. Files are
``YYYY-MM-DD*.ndjson`` or ``.ndjson.gz``, one message a line, the date being the day of delivery.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pyarrow as pa

from sensors_ingest import deliveries, http, uplinks
from sensors_ingest.candidates import fingerprint
from sensors_ingest.decoders.profile import Profile
from sensors_ingest.decoders.profiles import PROFILES
from sensors_ingest.devices import Device
from sensors_ingest.envelopes import Envelope
from sensors_ingest.landing import LandedFile, Landing


@dataclass(frozen=True)
class NetworkServer:
    """The uplinks of one application, in the ``envelope`` of its network server; without a ``folder`` they are pushed.

    ``profiles`` are the decoders that ``devices`` may name.
    """

    name: str
    envelope: Envelope
    devices: tuple[Device, ...]
    folder: http.Folder | None = None
    profiles: Mapping[str, Profile] = field(default_factory=lambda: PROFILES)

    def __post_init__(self) -> None:
        unknown = {device.decoder for device in self.devices} - self.profiles.keys()
        if unknown:
            raise ValueError(f"No decoder profile is called {', '.join(sorted(unknown))}.")

    @property
    def decoder_version(self) -> str:
        """Changes when decoding, the device list or a declared profile does."""
        return f"3-{devices_fingerprint(self.devices, self.profiles)}"

    def fetch(self, landing: Landing, days: Sequence[date]) -> list[LandedFile]:
        """What was delivered on ``days``. Raises ``SourceUnreachable`` for a folder or file that cannot be read."""
        if self.folder is None:
            return landing.files(self.name, days)
        wanted = set(days)
        return [
            landing.write(self.name, deliveries.content(self.name, path), address=path.name, suffix="ndjson", day=day)
            for day, path in self.delivered()
            if day in wanted
        ]

    def delivered(self) -> list[deliveries.Delivery]:
        """Every file of the folder. Raises ``SourceUnreachable``."""
        folder = http.folder_path(self.name, self.folder) if self.folder else None
        return [(self._day_of(path), path) for path in _delivered_files(folder)] if folder else []

    def decode(self, landing: Landing, files: Iterable[LandedFile]) -> Iterator[pa.RecordBatch]:
        """Candidate readings of ``files``, rejects among them (``READING_SCHEMA``). Never raises on their content."""
        return uplinks.decode(self.name, self.devices, landing, files, self.envelope, self.profiles)

    def _day_of(self, path: Path) -> date:
        try:
            return date.fromisoformat(path.name[:10])
        except ValueError:
            reason = "the file name does not start with the day of delivery, YYYY-MM-DD"
            raise http.SourceUnreachable(self.name, str(path), reason) from None


def devices_fingerprint(devices: Sequence[Device], profiles: Mapping[str, Profile]) -> str:
    """Changes when a device, its decoder, or a profile that its owner declared does."""
    by_id = sorted(devices, key=lambda device: device.sensor_id)
    declared = sorted({profiles[device.decoder].fingerprint for device in by_id} - {""})
    return fingerprint([*by_id, *declared])


def _delivered_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name.endswith((".ndjson", ".ndjson.gz")))

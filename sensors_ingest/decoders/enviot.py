"""Enviot snow radars, of which only the codec's object is known: ``object.payload``.

``sensorStatus`` 0 with ``signalStrength`` 0 and ``distance`` 0 is no echo, which says nothing of the snow: its
``snowHeight`` of 0 is no measurement. No source says in which unit snow height is; it is read as centimetres, as
in NGSI-LD, and unverified. ``distance`` is not read: the radar has already made a snow height of it.
Source: diwise/iot-agent, decoder/enviot, and its test.
"""

from typing import Final

from sensors_ingest.decoders.codec_object import Condition, Entry, ObjectDecoder, Refusal
from sensors_ingest.decoders.fields import Field
from sensors_ingest.decoders.profile import Profile

PROFILE: Final = Profile(
    codec_object=ObjectDecoder(
        (
            Entry(("payload", "snowHeight"), Field("snow_depth", 0, "cm", "cm", doubt="undocumented_unit")),
            Entry(("payload", "temperature"), Field("air_temperature", 0, "degC", "degC")),
            Entry(("payload", "humidity"), Field("relative_humidity", 0, "percent", "percent")),
            Entry(("payload", "battery"), Field("battery_level", 0, "percent", "percent")),
        ),
        (
            Refusal(
                ("snow_depth",),
                (
                    Condition(("payload", "sensorStatus"), "is", 0),
                    Condition(("payload", "signalStrength"), "is", 0),
                    Condition(("payload", "distance"), "is", 0),
                ),
                "no echo (sensorStatus, signalStrength and distance are 0)",
            ),
            Refusal(
                ("snow_depth",), (Condition(("payload", "sensorStatus"), "is_not", 0),), "the radar reports a fault"
            ),
        ),
    )
)

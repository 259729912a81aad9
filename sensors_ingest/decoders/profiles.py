"""The decoder profiles a device may name in its ``decoder`` column."""

from collections.abc import Mapping
from typing import Final

from sensors_ingest.decoders import elsys, milesight_em400_tld
from sensors_ingest.decoders.type_length_value import TypeLengthValueDecoder

PROFILES: Final[Mapping[str, TypeLengthValueDecoder]] = {
    "elsys": elsys.DECODER,
    "milesight_em400_tld": milesight_em400_tld.DECODER,
}

"""The profiles a device may name in its ``decoder`` column: those of this package, and those declared in TOML."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sensors_ingest.decoders import (
    dragino,
    elsys,
    enviot,
    milesight_em300,
    milesight_em400_tld,
    milesight_em500,
    niab,
    vegapuls,
)
from sensors_ingest.decoders.declared import ProfileError, load_declared
from sensors_ingest.decoders.profile import Profile

CODEC_OBJECT: Final = Path(__file__).with_name("codec_object.toml")

PROFILES: Final[Mapping[str, Profile]] = {
    "codec_object": load_declared(CODEC_OBJECT),
    "dragino_lht52": dragino.LHT52,
    "dragino_lsn50": dragino.LSN50,
    "elsys": elsys.PROFILE,
    "enviot": enviot.PROFILE,
    "milesight_em300": milesight_em300.EM300,
    "milesight_em300_di": milesight_em300.EM300_DI,
    "milesight_em300_mld": milesight_em300.EM300_MLD,
    "milesight_em310_udl": milesight_em300.EM310_UDL,
    "milesight_em320_th": milesight_em300.EM320_TH,
    "milesight_em400_tld": milesight_em400_tld.PROFILE,
    "milesight_em500_co2": milesight_em500.EM500_CO2,
    "milesight_em500_pt100": milesight_em500.EM500_PT100,
    "milesight_em500_smtc": milesight_em500.EM500_SMTC,
    "milesight_em500_udl": milesight_em500.EM500_UDL,
    "niab": niab.PROFILE,
    "vegapuls": vegapuls.PROFILE,
}


def load_profiles(folder: Path | None) -> Mapping[str, Profile]:
    """The package's profiles and those declared in ``folder``, one ``<name>.toml`` each.

    Raises ``ProfileError`` for a mistake in one of them, a name that is taken, or a folder that is not there.
    """
    if folder and not folder.is_dir():
        raise ProfileError([f"decoder_profiles: the folder {folder} does not exist."])
    declared = (
        {path.stem: load_declared(path, taken=PROFILES) for path in sorted(folder.glob("*.toml"))} if folder else {}
    )
    return {**PROFILES, **declared}

"""The device list: what is refused, and by which row."""

from pathlib import Path

import pytest

from sensors_ingest.devices import Device, DeviceListError, load_devices

HEADER = "sensor_id,feed,device_id,decoder"


def write(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "sensors.csv"
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    return path


def test_only_the_feed_and_upper_case_euis(tmp_path: Path) -> None:
    path = write(tmp_path, "a8-17-58-ff-fe-04-a0-01,tts,one,elsys", "74180,smhi,74180,")
    assert load_devices(path, "tts", ["elsys"]) == (Device("A81758FFFE04A001", "elsys"),)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("A81758FFFE04A0,tts,one,elsys", "row 3: sensor_id is not a 16-digit device EUI"),
        (",tts,one,elsys", "row 3: sensor_id is not a 16-digit device EUI"),
        ("a81758fffe04a001,tts,one,elsys", "row 2: sensor_id is listed twice"),
        ("A81758FFFE04A002,tts,one,elysian", "row 3: decoder is none of elsys, milesight"),
        ("A81758FFFE04A002,tts,one,", "row 3: decoder is none of elsys, milesight"),
    ],
)
def test_unusable_row(tmp_path: Path, row: str, reason: str) -> None:
    path = write(tmp_path, "A81758FFFE04A001,tts,one,elsys", row)
    with pytest.raises(DeviceListError, match=reason):
        load_devices(path, "tts", ["milesight", "elsys"])


def test_unusable_file(tmp_path: Path) -> None:
    with pytest.raises(DeviceListError, match="cannot be read"):
        load_devices(tmp_path / "none.csv", "tts", ["elsys"])
    with pytest.raises(DeviceListError, match="lacks the columns feed, decoder"):
        load_devices(write(tmp_path, "1,2", header="sensor_id,x"), "tts", ["elsys"])


def test_files_as_excel_saves_them_are_told(tmp_path: Path) -> None:
    with pytest.raises(DeviceListError, match="separates its columns with semicolons"):
        load_devices(write(tmp_path, "A;tts;one;elsys", header=HEADER.replace(",", ";")), "tts", ["elsys"])
    path = write(tmp_path, "A81758FFFE04A001,tts,one,elsys", "A81758FFFE04A002,tts,Nässjö,elsys")
    path.write_bytes(path.read_text(encoding="utf-8").encode("cp1252"))
    with pytest.raises(DeviceListError, match="row 3: not UTF-8; save the file as CSV UTF-8"):
        load_devices(path, "tts", ["elsys"])
    path = write(tmp_path, "\ufeffA81758FFFE04A001,tts,one,elsys,more,and more")
    with pytest.raises(DeviceListError, match="cannot be read as a device list") as told:
        load_devices(path, "tts", ["elsys"])
    assert "\n" not in str(told.value)


def test_the_mark_that_excel_puts_first_is_none_of_the_header(tmp_path: Path) -> None:
    path = write(tmp_path, "A81758FFFE04A001,tts,one,elsys", header=f"\ufeff{HEADER}")
    assert load_devices(path, "tts", ["elsys"]) == (Device("A81758FFFE04A001", "elsys"),)

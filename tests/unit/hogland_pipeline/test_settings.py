"""Every mistake in the configuration is one sentence, and no secret is ever shown."""

from datetime import date
from pathlib import Path

import pytest

from hogland_pipeline.resources import bind_sources
from hogland_pipeline.settings import PROJECT_ROOT, Settings, SettingsError, load_settings

TOKEN = "NNSXS.very-secret-token"
KEY = "a-respondent-key-that-is-long-enough"
GOOD = """
data_dir = "data"
first_day = 2026-01-01
as_of = 2026-02-01

[feeds.tts_hogland]
kind = "the_things_stack"
folder = "samples/tts"

[feeds.smhi]
kind = "smhi_metobs"
folder = "samples/smhi"
series = [{ parameter = 1, station = 74180 }]

[survey]
folder = "samples/survey"
waves = ["ai_maturity_2024_25"]

[uttc_catalogue]
folder = "samples/uttc"
"""
REMOTE = 'url = "https://eu1.example.org"\napplication = "snow"\ntoken_env = "TTS_TOKEN"'


def load(folder: Path, text: str, **environment: str) -> Settings:
    path = folder / "hogland.toml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path, environment)


def mistake(folder: Path, text: str, **environment: str) -> str:
    with pytest.raises(SettingsError) as raised:
        settings = load(folder, text, **environment)
        bind_sources(settings)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
    sentence = str(raised.value)
    assert "\n" not in sentence
    return sentence


def with_change(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


def test_the_projects_own_file_is_good() -> None:
    settings = load_settings(PROJECT_ROOT / "hogland.toml", {})
    assert settings.today() == date(2026, 2, 1)
    assert {bound.source.name for bound in bind_sources(settings)} == {
        "tts_hogland",
        "smhi",
        "survey",
        "uttc_catalogue",
        "ned",
        "kolada",
        "kolada_series",
        "kolada_groups",
        "scb",
    }


def test_feeds_are_enough(tmp_path: Path) -> None:
    settings = load(tmp_path, GOOD.partition("[survey]")[0])
    assert {bound.source.name for bound in bind_sources(settings)} == {"tts_hogland", "smhi"}


def test_a_name_outside_ascii_is_told_to_stand_in_quotes(tmp_path: Path) -> None:
    told = mistake(tmp_path, 'Snödjup = "x"')
    assert told.endswith("(at line 1, column 3): a name with å, ä, ö or a space stands in quotes.")


def test_relative_paths_start_at_the_file(tmp_path: Path) -> None:
    settings = load(tmp_path, GOOD)
    assert settings.data_dir == tmp_path / "data"
    assert settings.survey
    assert settings.survey.folder == tmp_path / "samples" / "survey"


def test_the_environment_overrides_the_data_folder(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD, HOGLAND_DATA_DIR=str(tmp_path / "other")).data_dir == tmp_path / "other"


def test_an_argument_overrides_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "hogland.toml"
    path.write_text(GOOD, encoding="utf-8")
    settings = load_settings(path, {"HOGLAND_DATA_DIR": "elsewhere"}, data_dir=tmp_path / "mine")
    assert settings.data_dir == tmp_path / "mine"


def test_the_file_is_named_by_the_environment(tmp_path: Path) -> None:
    (tmp_path / "ours.toml").write_text(GOOD, encoding="utf-8")
    settings = load_settings(environment={"HOGLAND_CONFIG": str(tmp_path / "ours.toml")})
    assert settings.data_dir == tmp_path / "data"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("first_day =", "frist_day =", "hogland.toml: frist_day is not a known setting: did you mean 'first_day'?"),
        (
            'folder = "samples/tts"',
            'foldr = "samples/tts"',
            "hogland.toml: feeds.tts_hogland.foldr is not a known setting: did you mean 'folder'?",
        ),
        (
            "station = 74180",
            "station = 74180, stations = 1",
            "hogland.toml: feeds.smhi.series.0.stations is not a known setting: did you mean 'station'?",
        ),
        (
            'waves = ["ai_maturity_2024_25"]',
            'waves = ["ai_maturity_2024_25"]\nwave = "x"',
            "hogland.toml: survey.wave is not a known setting: did you mean 'waves'?",
        ),
        (
            'waves = ["ai_maturity_2024_25"]',
            'waves = ["a", "a"]',
            "hogland.toml: survey.waves: a wave is named twice.",
        ),
        (
            'waves = ["ai_maturity_2024_25"]',
            'waves = ["a"]\nfree_text_folder = "data/texts"',
            "hogland.toml: the file: survey.free_text_folder lies in the data folder, and must lie outside it.",
        ),
        (
            'folder = "samples/uttc"',
            'folder = "samples/uttc"\nfrom = "html"',
            "hogland.toml: uttc_catalogue.from is not a known setting: did you mean 'form'?",
        ),
        ("data_dir =", "zzz = 1\ndata_dir =", "hogland.toml: zzz is not a known setting."),
        ("first_day = 2026-01-01\n", "", "hogland.toml: first_day is missing."),
        ('kind = "smhi_metobs"\n', "", "hogland.toml: feeds.smhi.kind is missing."),
        (
            "first_day",
            'timezone = "Europe/Nassjo"\nfirst_day',
            "hogland.toml: timezone: 'Europe/Nassjo' is not a time zone such as 'Europe/Stockholm'.",
        ),
        (
            "first_day",
            'timezone = "../../etc/passwd"\nfirst_day',
            "hogland.toml: timezone: '../../etc/passwd' is not a time zone such as 'Europe/Stockholm'.",
        ),
        (
            'folder = "samples/tts"',
            f'folder = "samples/tts"\n{REMOTE}',
            "hogland.toml: feeds.tts_hogland: needs exactly one of folder, url and listen.",
        ),
        (
            'folder = "samples/tts"',
            "",
            "hogland.toml: feeds.tts_hogland: needs exactly one of folder, url and listen.",
        ),
        (
            'folder = "samples/tts"',
            'url = "https://eu1.example.org"',
            "hogland.toml: feeds.tts_hogland: needs an application beside its url.",
        ),
        ("[feeds.smhi]", "[feeds.Smhi]", "hogland.toml: feeds: 'Smhi' must be lower-case letters, digits and"),
        ("[feeds.smhi]", '[feeds."smhi;drop"]', "hogland.toml: feeds: 'smhi;drop' must be lower-case letters"),
        (
            "[feeds.smhi]",
            "[feeds.landing_day]",
            "hogland.toml: feeds: 'landing_day' is a name that the platform uses itself.",
        ),
        ("[feeds.smhi]", "[feeds.survey]", "hogland.toml: feeds: 'survey' is the name of another source."),
        ("parameter = 1,", "parameter = 99,", "feeds.smhi.series: SMHI parameter 99 is not known here; known are"),
        ("ai_maturity_2024_25", "no_such_wave", "no_such_wave"),
        (
            "as_of = 2026-02-01",
            "as_of = 2026-01-01",
            "hogland.toml: the file: first_day 2026-01-01 must be before today, 2026-01-01: no day is complete yet.",
        ),
        ("data_dir", "kept_releases = 0\ndata_dir", "hogland.toml: kept_releases: Input should be greater than"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    assert sentence in mistake(tmp_path, with_change(old, new), TTS_TOKEN=TOKEN)


def test_an_unknown_kind_of_feed_names_the_known_ones(tmp_path: Path) -> None:
    sentence = mistake(tmp_path, with_change('kind = "the_things_stack"', 'kind = "loriot"'))
    assert "feeds.tts_hogland.kind 'loriot' is none of 'the_things_stack', 'chirpstack', 'smhi_metobs'" in sentence


@pytest.mark.parametrize("feeds", ["feeds = 3", 'feeds = "smhi"', "feeds = [1]", "feeds = {}"])
def test_feeds_that_are_no_table(tmp_path: Path, feeds: str) -> None:
    start, end = GOOD.index("[feeds.tts"), GOOD.index("[survey]")
    assert mistake(tmp_path, f"{feeds}\n{GOOD[:start]}{GOOD[end:]}").startswith("hogland.toml: feeds: ")


def test_sources_that_are_no_table(tmp_path: Path) -> None:
    start = GOOD.index("[survey]")
    text = f'survey = "samples"\nuttc_catalogue = 1\n{GOOD[:start]}'
    assert mistake(tmp_path, text).startswith("hogland.toml: survey: ")


def test_a_survey_at_an_address(tmp_path: Path) -> None:
    text = with_change('folder = "samples/survey"', 'url = "https://forms.example.org"')
    assert mistake(tmp_path, text) == "survey: exports are read from a folder; a url is not supported."


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^none\.toml: cannot be read \(No such file or directory"):
        load_settings(tmp_path / "none.toml", {})


@pytest.mark.parametrize("content", [b"data_dir = ", b"[feeds", b"\xff\xfe"])
def test_a_file_that_is_not_toml(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "hogland.toml").write_bytes(content)
    with pytest.raises(SettingsError, match=r"^hogland\.toml: is not valid TOML: "):
        load_settings(tmp_path / "hogland.toml", {})


def test_a_token_in_the_file(tmp_path: Path) -> None:
    text = with_change('folder = "samples/tts"', f'{REMOTE}\ntoken = "{TOKEN}"')
    sentence = mistake(tmp_path, text, TTS_TOKEN="x")
    assert sentence == "hogland.toml: tts_hogland.token is a secret: name its variable in token_env instead."


@pytest.mark.parametrize("environment", [{}, {"TTS_TOKEN": ""}])
def test_a_token_that_is_not_set(tmp_path: Path, environment: dict[str, str]) -> None:
    sentence = mistake(tmp_path, with_change('folder = "samples/tts"', REMOTE), **environment)
    assert sentence == "hogland.toml: tts_hogland reads its token from TTS_TOKEN, which is not set."


def test_what_neither_fetches_nor_publishes_needs_no_secret_of_that(tmp_path: Path) -> None:
    path = tmp_path / "hogland.toml"
    server = '[publish.postgres]\nhost = "db"\ndatabase = "d"\nuser = "u"\npassword_env = "DATABASE_PASSWORD"\n'
    path.write_text(with_change('folder = "samples/tts"', REMOTE) + server, encoding="utf-8")
    settings = load_settings(path, {}, needs_secrets=False)
    assert settings.feeds["tts_hogland"].token is None
    with pytest.raises(SettingsError, match=r"publish\.postgres reads its password from DATABASE_PASSWORD"):
        load_settings(path, {"TTS_TOKEN": TOKEN})
    with pytest.raises(SettingsError, match=r"publish\.postgres reads its password from DATABASE_PASSWORD"):
        load_settings(path, {}, fetches=False)
    settings = load_settings(path, {"DATABASE_PASSWORD": "x"}, fetches=False)
    assert settings.feeds["tts_hogland"].token is None


def test_a_respondent_key_in_the_file(tmp_path: Path) -> None:
    sentence = mistake(tmp_path, f'respondent_key = "{KEY}"\n{GOOD}')
    assert sentence == "hogland.toml: respondent_key is a secret: set HOGLAND_RESPONDENT_KEY instead."


def test_a_short_respondent_key_is_not_repeated(tmp_path: Path) -> None:
    sentence = mistake(tmp_path, GOOD, HOGLAND_RESPONDENT_KEY="short-secret")
    assert sentence == "HOGLAND_RESPONDENT_KEY: the respondent key needs at least 16 bytes."


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    text = with_change('folder = "samples/tts"', REMOTE)
    settings = load(tmp_path, text, TTS_TOKEN=TOKEN, HOGLAND_RESPONDENT_KEY=KEY)
    sources = bind_sources(settings)
    shown = "".join(
        (str(settings), repr(settings), settings.model_dump_json(), str(settings.model_dump()), repr(sources))
    )
    assert TOKEN not in shown
    assert KEY not in shown
    feed = settings.feeds["tts_hogland"]
    assert feed.token is not None
    assert feed.token.get_secret_value() == TOKEN
    assert not settings.uses_development_key


def test_the_development_key_is_known_as_such(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD).uses_development_key


def test_without_as_of_today_is_the_clocks(tmp_path: Path) -> None:
    assert load(tmp_path, with_change("as_of = 2026-02-01\n", "")).today() > date(2026, 1, 2)


EXAMPLES = {
    "road_weather": "Trafikverket",
    "energy": "Metry",
    "boreholes": "SensorThings",
    "weather_twin": "NgsiLd",
    "campus": "Tabular",
    "old_road_weather": "Tabular",
}


def examples() -> str:
    """The feeds that hogland.toml holds as comments, uncommented."""
    text = (PROJECT_ROOT / "hogland.toml").read_text(encoding="utf-8")
    lines = text[text.index("# [feeds.road_weather]") : text.index("\n\n[survey]")].splitlines()
    return "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines)


def test_the_examples_in_the_projects_file_are_good(tmp_path: Path) -> None:
    secrets = {"HOGLAND_TRAFIKVERKET_KEY": TOKEN, "HOGLAND_METRY_TOKEN": TOKEN}
    settings = load(tmp_path, with_change("[survey]", f"{examples()}\n[survey]"), **secrets)
    clients = {bound.source.name: type(bound.source).__name__ for bound in bind_sources(settings)}
    assert EXAMPLES.items() <= clients.items()
    assert TOKEN not in repr(settings)
    assert TOKEN not in repr(bind_sources(settings))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('token_env = "HOGLAND_TRAFIKVERKET_KEY"\n', "", "feeds.road_weather: needs a token_env beside its url"),
        ("box = [14.2, 57.2, 15.6, 58.0]", "", "feeds.road_weather: needs stations or a box beside its url."),
        ("box = [14.2, 57.2, 15.6, 58.0]", "box = [14.2, 572, 15.6, 58.0]", "feeds.road_weather.box.1: "),
        ('"WeatherObservation"', '"Weather"', "feeds.road_weather.object_type: "),
        ('meters = ["5b1a…"]\n', "", "feeds.energy: needs meters beside its url."),
        ('metrics = ["energy", "flow"]', 'metrics = ["heat"]', "feeds.energy.metrics.0: "),
        ('quantity = "air_temperature" }]', 'quantity = "heat" }]', "feeds.boreholes: quantity 'heat' is none of"),
        ("NGSILD-Tenant =", "Authorization =", "feeds.weather_twin.headers: Authorization is a secret"),
        ('decimal = ","', 'decimal = ";"', "feeds.campus.decimal: "),
        ('decimal = ","', 'delimiter = ";;"', "feeds.campus.delimiter: "),
        ('value = "Värde", ', "", "feeds.campus: a value column needs a quantity column"),
        (
            'value = "Värde"',
            'valu = "Värde"',
            "feeds.campus.columns.valu is not a known setting: did you mean 'value'?",
        ),
        ('timezone = "Europe/Stockholm"\ncol', 'timezone = "Sweden"\ncol', "feeds.old_road_weather.timezone: 'Sweden'"),
        ('unit = "degC", ', 'unit = "m", ', "feeds.old_road_weather: unit 'm' of Lufttemp is none of degC"),
        ('folder = "deliveries/vvis"', 'url = "https://example.org"', "feeds.old_road_weather: needs a folder"),
    ],
)
def test_a_mistake_in_a_feed_of_observations(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    assert examples().count(old) == 1, old
    text = with_change("[survey]", f"{examples().replace(old, new)}\n[survey]")
    secrets = {"HOGLAND_TRAFIKVERKET_KEY": TOKEN, "HOGLAND_METRY_TOKEN": TOKEN}
    assert sentence in mistake(tmp_path, text, **secrets)

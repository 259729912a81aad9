-- The marts that the KPI page reads, small: two municipalities, two sensors, one survey, a hostile title.
create table dim_municipality as
from (values ('0682', 'Nässjö'), ('0686', 'Eksjö')) t(municipality_code, municipality_name);

create table dim_kpi as
select *, row_number() over ()::integer as display_order, 'det räknas' as definition_sv,
       'municipality/year' as grain, 'SMHI <database>' as source, 'climate-strategist' as owner,
       'm-v1' as method_version, 'yearly' as refresh_interval, 'none' as target_reason,
       'Hur mycket det är.' as explanation_sv, 'How much it is.' as explanation_en
from (values
    ('ghg_total', 'Utsläpp i allt', 'All emissions', 'a + b', 't CO2e', 'lower', 'climate', null, 'published', null),
    ('ghg_per_capita', 'Utsläpp per invånare', 'Emissions per inhabitant', 'a / b', 't CO2e/inh', 'lower',
     'climate', null, 'published', null),
    ('trend_to_carbon_law', 'Trend mot Carbon Law', 'Trend to Carbon Law', 'a / b', 'ratio', 'lower', 'climate',
     1.0, 'published', null),
    ('net_zero_date', 'Nollpunkt', 'Net zero', 't', 'date', 'earlier', 'climate', null, 'published', null),
    ('decoupling_tapio', 'Frikoppling', 'Decoupling', 'e', 'ratio+state', 'lower', 'twin', null, 'published', null),
    ('uttc_solutions_by_stage', 'Lösningar per stadium', 'Solutions by stage', 'n', 'count', 'higher', 'twin',
     null, 'published', null),
    ('ai_strategy_share', 'Andel med AI-strategi', 'Share with an AI strategy', 'n', '%', 'higher',
     'digitalisation', null, 'published', null),
    ('dimios_maturity', 'Digital mognad', 'Digital maturity', 'n', '%', 'higher', 'digitalisation', null,
     'no value yet: no delivery received', 'ingen leverans har kommit'),
    ('snow_cover_days', 'Dygn med snö', 'Days with snow', 'n', 'days', 'context', 'operations', null, 'published',
     null)
) t(kpi_id, name_sv, name_en, definition, unit, direction, domain, target, value_status, missing_reason_sv);

create table fct_kpi_value as
select kpi_id, area_type, area_id, period, period_end::date as period_end, value, value_text, n, lower_bound,
       upper_bound, value_status, 'm-v1' as method_version, true as is_latest
from (values
    ('ghg_total', 'municipality', '0682', '2023', '2023-12-31', 96257.0, null, 1, null, null, 'observed'),
    ('ghg_total', 'municipality', '0682', '2024', '2024-12-31', 108542.6, null, 1, null, null, 'observed'),
    ('ghg_total', 'municipality', '0686', '2023', '2023-12-31', 98843.0, null, 1, null, null, 'observed'),
    ('ghg_total', 'municipality', '0686', '2024', '2024-12-31', null, null, 0, null, null, 'confidential'),
    ('ghg_per_capita', 'municipality', '0682', '2023', '2023-12-31', 3.04, null, 1, null, null, 'observed'),
    ('ghg_per_capita', 'municipality', '0682', '2024', '2024-12-31', 3.42, null, 1, null, null, 'observed'),
    ('trend_to_carbon_law', 'municipality', '0682', '2024', '2024-12-31', 1.92, null, 6, null, null, 'observed'),
    ('net_zero_date', 'municipality', '0682', '2024', '2024-12-31', 2058.2, '2058-03-20', 6, null, null,
     'observed'),
    ('decoupling_tapio', 'municipality', '0682', '2015-2023', '2023-12-31', -6.04, 'strong_decoupling', 2, null,
     null, 'observed'),
    ('uttc_solutions_by_stage', 'stage', 'identified', '2026-01-31', '2026-01-31', 1.0, null, 2, null, null,
     'observed'),
    ('uttc_solutions_by_stage', 'stage', 'analysed', '2026-01-31', '2026-01-31', 1.0, null, 2, null, null,
     'observed'),
    ('ai_strategy_share', 'federation', 'hoglandet', 'wave_1', '2024-11-26', 17.07, null, 41, 8.5, 31.3,
     'observed'),
    ('ai_strategy_share', 'municipality', '0682', 'wave_1', '2024-11-26', null, null, 14, null, null, 'suppressed'),
    ('snow_cover_days', 'sensor', 'A81758', '2025/2026', '2026-04-30', 28.0, null, 31, null, null, 'observed'),
    ('snow_cover_days', 'sensor', '24E124', '2025/2026', '2026-04-30', 12.0, null, 31, null, null, 'observed')
) t(kpi_id, area_type, area_id, period, period_end, value, value_text, n, lower_bound, upper_bound, value_status);

create table kpi_lineage as
select kpi_id, 'municipality' as area_type, 'int_kpi_value__climate' as dbt_model, 'indicator_value' as raw_table,
       'ned' as load_source, 4::bigint as raw_rows, 'abc' as landing_id, '2026-06' as source_vintage,
       'm-v1' as method_version, timestamptz '2026-02-01 03:00:00+00' as loaded_at
from (values ('ghg_total'), ('ghg_per_capita')) t(kpi_id);

create table kpi_benchmark as
from (values
    ('ghg_per_capita', '2024', '0682', 'hoglandet', 2, 1, null, true),
    ('ghg_per_capita', '2024', '0682', 'country', 0, null, 4.5, true)
) t(kpi_id, period, municipality_code, group_kind, ranked_count, rank_in_group, mean_published, is_latest);

create table kpi_trajectory as
from (values
    ('ghg_total', '0682', 2023, 2045, 28596.0, 93000.0, 96257.0, null, 't CO2e', false, false, 2049.2, true),
    ('ghg_total', '0682', 2024, 2045, 28596.0, 90468.0, 108542.6, null, 't CO2e', true, false, 2049.2, true),
    ('ghg_total', '0682', 2045, 2045, 28596.0, 28596.0, null, 41000.0, 't CO2e', false, false, 2049.2, true)
) t(kpi_id, municipality_code, year, target_year, target_value, path_value, observed_value, trend_value, unit,
    is_last_observed, is_met, year_met, is_latest);

create table kpi_climate__emission_trend as
from (values
    ('0682', 'Nässjö', 'carbon_law_lad_2026_06', 2024, -1.356, 1.92, date '2058-03-20', true),
    ('0682', 'Nässjö', 'budget_share_ols_2024_12', 2022, -2.6, 7.7, null, true)
) t(municipality_code, municipality_name, method_version, last_year, annual_change_pct, trend_ratio, net_zero_date,
    is_latest);

create table dim_sensor as
from (values
    ('A81758', 'nassjo-snow-01', 'Nässjö Affärsverk', '0682', 'snow_laser', true),
    ('24E124', 'eksjo-snow-01', 'Eksjö torg', '0686', 'snow_laser', true)
) t(sensor_id, device_id, site, municipality_code, sensor_kind, is_current);

create table kpi_operations__sensor_status as
from (values
    ('A81758', 'Nässjö Affärsverk', 'ok', null, null::date),
    ('24E124', 'Eksjö torg', 'fault', 'stale, low_availability', date '2026-01-15')
) t(sensor_id, site, status, reasons, since_date);

create table kpi_operations__daily_snow as
select 'A81758' as sensor_id, (date '2026-01-01' + day) as local_date, day as snow_depth_low_cm,
       day + 1.0 as snow_depth_mean_cm, day + 2.0 as snow_depth_high_cm, -14.2 + day as air_temperature_low_degc,
       -10.0 + day as air_temperature_mean_degc, -8.0 + day as air_temperature_high_degc,
       72.0 as relative_humidity_low_pct, 80.0 as relative_humidity_mean_pct, 86.0 as relative_humidity_high_pct
from (values (0), (1), (2), (4)) t(day);

create table kpi_operations__plough_event as
from (values ('A81758', date '2026-01-03')) t(sensor_id, local_date);

create table kpi_twin__solution as
from (values
    ('u1', '<script>document.title = ''hostile''</script>', 'identified', date '2025-05-06', 'Samåkning med grannar', 'Transporter',
     null, null, null, false),
    ('u2', 'Värmen styrs digitalt', 'analysed', null, 'Husens effekttopp sjunker', 'Byggnader', 'Bostäder',
     'Styrning', 'Bolaget', false),
    ('u3', 'Borttagen lösning', 'analysed', null, null, 'Byggnader', null, null, null, true)
) t(url, title, stage, published_date, summary, transition_area, transition_sector, transition_kind, owner,
    is_withdrawn);

create table kpi_twin__solution_effect as
from (values ('u2', 1, 'yearly_peak_power_change', -38.0, 'percent', 'claimed', 'about', 'Årets högsta effekt'))
t(url, effect_number, effect_quantity, effect_value, effect_unit, effect_claim, effect_qualifier,
  effect_description);

create table kpi_digitalisation__survey_wave as
from (values ('wave_1', 1, 'AI-mognad 2024–25', 'AI maturity 2024–25', 41, null::double, date '2024-11-18',
              date '2024-11-26'))
t(wave, wave_number, title_sv, title_en, n_respondents, response_share, first_answer_date, last_answer_date);

create table kpi_digitalisation__survey_answer as
select 'wave_1' as wave, 'ai_strategy' as question_id, 6 as question_number, 'Finns en strategi?' as question_sv,
       'Is there a strategy?' as question_en, 'multiple' as question_type, 'ai_strategy_share' as kpi_id, answer = 'yes' as is_indicator_answer, *
from (values
    ('all', 'all', 'yes', 7, 41, 0.1707, 0.085, 0.313, false, null),
    ('all', 'all', 'no', null, 41, null, null, null, true, 'small_cells'),
    ('all', 'all', 'dont_know', 0, 41, 0.0, 0.0, 0.086, false, null),
    ('municipality', '0682', 'yes', null, 14, null, null, null, true, 'protects_other_subgroup'),
    ('role', 'unit_manager', 'yes', 6, 24, 0.25, 0.12, 0.45, false, null)
) t(subgroup_type, subgroup, answer, n_answers, n_respondents, answer_share, answer_share_lower_bound,
    answer_share_upper_bound, is_suppressed, suppression_reason);

create table kpi_digitalisation__ai_readiness as
from (values
    ('wave_1', 'all', 'data', 'Data', 'Data', 21.95, 12.0, 36.7, 41, 'observed', null),
    ('wave_1', 'all', 'competence', 'Kompetens', 'Competence', null, null, null, 41, 'suppressed',
     'an answer that the dimension needs is hidden')
) t(wave, subgroup_type, dimension, dimension_sv, dimension_en, readiness_index, readiness_index_lower_bound,
    readiness_index_upper_bound, n_respondents, value_status, missing_reason);

create table publication as
from (values
    ('dim_kpi', 9, 6, 0, 0, false, null::timestamptz, null),
    ('kpi_operations__daily_snow', 4, 13, 1, 0, true, timestamptz '2026-01-30 03:00:00+00', 'tts_hogland')
) t(mart, row_count, checks_passed, checks_warned, checks_failed, is_stale, stale_since, stale_sources);

create table publication_source as
from (values
    ('ned', 'passed', timestamptz '2026-02-01 03:00:00+00', timestamptz '2026-02-01 03:00:00+00', '', 10, 8, 2, 20,
     1, 1),
    ('tts_hogland', 'failed', timestamptz '2026-01-30 03:00:00+00', timestamptz '2026-02-01 03:00:00+00',
     'answered 503', null, null, null, null, null, null)
) t(source, status, last_good_at, last_attempt_at, message, rows_read, rows_loaded, rows_quarantined,
    checks_passed, checks_warned, checks_failed);

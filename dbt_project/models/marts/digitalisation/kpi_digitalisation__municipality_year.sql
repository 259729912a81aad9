{{ wide_kpis({
    'bb_1gbit': ['access_to_1_gbit_pct', 'value'],
    'bredbandskollen_down': ['download_speed_mbit_per_s', 'value'],
    'welfare_tech_index': ['welfare_technology_index', 'value'],
    'dimios_maturity': ['digital_maturity_pct', 'value'],
}, periods='[0-9]{4}') }}

-- An indicator's value and its state in words are two columns.
{{ wide_kpis({
    'decoupling_oecd': ['decoupling_oecd_factor', 'value'],
    'decoupling_tapio': ['tapio_elasticity', 'value'],
    'local_adoption': ['solutions_in_pilot_or_use', 'value'],
}, periods='[0-9]{4}(-[0-9]{4})?', words={
    'decoupling_oecd': 'decoupling_oecd_state',
    'decoupling_tapio': 'tapio_state',
}, more={
    'decoupling_deflator': ['decoupling_oecd', "split_part(method_version, '-', 2)"],
}) }}

{#
    Straight lines of least absolute deviation, one per group, exactly: the best line passes through two of the
    observations, so all pairs are tried.

    `observations` is a relation or CTE with the columns `keys`, year and value. Gives `keys`, slope (per year), n and
    slope_lower and slope_upper: the rank interval of Theil and Sen, 95 % from five observations on and 92 % for four.
    Of lines that fit equally well the steepest fall is taken.
#}
{% macro least_absolute_deviation(observations, keys) -%}
{%- set key_list = keys | join(', ') -%}
    select
        {{ key_list }},
        any_value(n) as n,
        arg_min(slope, (deviation, slope)) as slope,
        least(arg_min(slope, (deviation, slope)), min(slope) filter (slope_rank = outermost)) as slope_lower,
        greatest(
            arg_min(slope, (deviation, slope)), min(slope) filter (slope_rank = n_pairs + 1 - outermost)
        ) as slope_upper
    from (
        select
            *,
            row_number() over (partition by {{ key_list }} order by slope) as slope_rank,
            greatest(
                1, floor((n_pairs - 1.959963984540054 * sqrt(n * (n - 1) * (2 * n + 5) / 18)) / 2)
            ) as outermost
        from (
            select
                {{ key_list }},
                slope,
                n,
                n * (n - 1) // 2 as n_pairs,
                -- Rounded, for sums in another order differ in their last bits.
                round(
                    list_sum(list_transform(points, lambda point: abs(point.value - value - slope * (point.year - year)))), 6
                ) as deviation
            from (
                select
                    {% for key in keys %}one.{{ key }}, {% endfor %}
                    one.year,
                    one.value,
                    (other.value - one.value) / (other.year - one.year) as slope
                from {{ observations }} as one
                inner join {{ observations }} as other
                    on one.year < other.year
                    {% for key in keys %} and one.{{ key }} = other.{{ key }}{% endfor %}
            )
            inner join (
                select {{ key_list }}, list({'year': year, 'value': value}) as points, count(*) as n
                from {{ observations }}
                group by {{ key_list }}
            ) using ({{ key_list }})
        )
    )
    group by {{ key_list }}
{%- endmacro %}

{# The date of a year with a fraction, counted in years of 365 days: 2030.5 is 2030-07-02. Null stays null. #}
{% macro date_of_year(year) -%}
    (make_date(floor({{ year }})::integer, 1, 1) + floor(({{ year }} - floor({{ year }})) * 365)::integer)
{%- endmacro %}

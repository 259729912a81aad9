{#
    Rows (model, step, distance): what every model is built from, tables of the warehouse included, seeds not, and by how
    many steps at most it is away. The model itself is 0 steps away.
#}
{% macro model_steps() -%}
    {%- set rows = [] -%}
    {%- if execute -%}
    {%- for node in graph.nodes.values() | selectattr('resource_type', 'equalto', 'model') -%}
        {%- set walk = namespace(at=[node.unique_id], distance=0) -%}
        {%- for _ in range(graph.nodes | length) if walk.at -%}
            {%- set parents = [] -%}
            {%- for unique_id in walk.at -%}
                {%- set kind = unique_id.split('.')[0] -%}
                {%- if kind == 'source' -%}
                    {%- set source = graph.sources[unique_id] -%}
                    {%- set step = 'warehouse.' ~ source.schema ~ '.' ~ source.identifier -%}
                {%- else -%}
                    {%- set step = graph.nodes[unique_id].name -%}
                    {%- do parents.extend(graph.nodes[unique_id].depends_on.nodes | default([])) -%}
                {%- endif -%}
                {%- if kind != 'seed' -%}
                    {%- do rows.append("('" ~ node.name ~ "', '" ~ step ~ "', " ~ walk.distance ~ ")") -%}
                {%- endif -%}
            {%- endfor -%}
            {%- set walk.at = parents | unique | list -%}
            {%- set walk.distance = walk.distance + 1 -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- endif -%}
    select
        model,
        step,
        max(distance) as distance
    from (values {{ rows | unique | join(', ') if rows else "('', '', 0)" }}) as steps (model, step, distance)
    group by model, step
{%- endmacro %}

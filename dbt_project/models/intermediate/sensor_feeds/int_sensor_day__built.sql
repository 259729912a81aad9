{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='append_new_columns') }}

-- Starts empty: each model that is incremental by whole days writes its own rows, see macros/whole_days.sql.
select
    null::varchar as model,
    null::varchar as feed,
    null::date as local_date,
    null::varchar as version,
    null::bigint as rows_built,
    null::timestamptz as built_at
where false

{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='fail') }}

-- Starts empty: each model that is incremental by whole days writes its own rows, see macros/whole_days.sql.
select
    null::varchar as model,
    null::varchar as feed,
    null::date as local_date,
    null::varchar as version
where false

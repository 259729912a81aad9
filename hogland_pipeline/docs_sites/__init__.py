"""Sites about the data, published with it under ``site/docs``: dbt docs, results of checks, data dictionary."""

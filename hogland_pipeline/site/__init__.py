"""The KPI page: static HTML in ``site/`` of a release, in Swedish and English, read from the release's own marts."""

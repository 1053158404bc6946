"""`nettop export`: pictures in, OpenMetrics out, for Prometheus and for the textfile collector of node_exporter.

It reads `Snapshot`s and nothing else, so that a live collector, a recording and another host are exported alike.

metrics.py     what is exported: one table
listeners.py   what came through each listening port
series.py      which names get series of their own, and counters that never run backwards
account.py     pictures → series
exposition.py  series → text, by prometheus_client
server.py      HTTP, for whoever scrapes
service.py     all of it together
dashboard.json a dashboard for Grafana
rules.yml      alerts for Prometheus
"""

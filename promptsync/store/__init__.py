"""The only place that opens SQLite: connections, the one writer, migrations, inbox, ledger."""

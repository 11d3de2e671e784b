"""How things arrive: the webhook listener and its authentication, object stores, the export client, the drop folder.

A source hands what it received to an injected intake; it knows neither store nor merge.
"""

"""Finds credit-card fraud in daily batches, keeps its own model honest, explains every decision.

The map, top to bottom; a room imports only rooms above it:

    errors          the one-line errors people see
    small_files     a file that a person named is read, and nothing that is no file or has no end
    processes       which process did something, and whether it has died since
    setting_fields  what each room may be told, by subject
    settings        every FRAUD_* variable, typed, with its default and unit
    setting_sources where each value comes from, and which variables nobody reads
    storage         a path or s3:// URL becomes a filesystem; a file is written whole or not at all
    day_store       one file per asset and day
    settings_file   what was set up once is kept for whoever starts Dagster next
    metrics         arrays in, floats out
    contracts       whether tables keep their Pandera contract
    governance      what must never enter, and what must be remembered
    logs            one line of JSON per record, whichever library writes it
    notifications   tells people what happened, and those who were out of reach later
    ingestion       landed files become one validated table per day
    simulation      days made from a public file (replay) or from shipped figures (simulator)
    features        what the model may know, and the distribution of it
    training        labelled rows become a model bundle
    registry        the release decision and where released models live
    scoring         a bundle and a day become decisions with reasons
    monitoring      drift and performance, measured against the champion
    defs            the only room that knows Dagster
    exporter        figures and health for whoever watches
    terminal        tables and notes for people at a terminal
    cli             `fraud-platform`, thin commands over the rooms
"""

import os

# Arrow reads this when it is first loaded. Its own pools keep what a day has freed; the C library's gives it back, so
# that a run needs what its largest step needs and not the sum of its steps (see `defs.memory`).
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")

"""A first look at card transactions: how rare fraud is, what it costs, when it happens, what gives it away.

Models and decisions do not belong here. Read it in a browser, or run it as a script:

    uv run --group notebooks marimo edit notebooks/eda_creditcard.py
    uv run --group notebooks python notebooks/eda_creditcard.py --csv creditcard.csv

The file may also be named by the variable CREDITCARD_CSV; without one, two simulated days are drawn. As a script it
prints the findings, and with `--figures FOLDER` it writes the pictures there.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Card transactions: a first look")

with app.setup:
    import os
    from datetime import date
    from pathlib import Path

    import marimo as mo
    import matplotlib.pyplot as plt
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure
    from rich.console import Console
    from scipy.stats import ks_2samp

    from fraud_platform.ingestion.schema import V_COLUMNS
    from fraud_platform.simulation.replay import read_public_file
    from fraud_platform.simulation.simulator import simulate

    # Two days of the public file's size, so that counts can be compared with it.
    SIMULATED_DAYS, SIMULATED_ROWS_PER_DAY, SEED = 2, 142_000, 42
    COLOURS = {"legitimate": "#4c78a8", "fraud": "#e45756"}

    plt.rcParams.update(
        {
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlelocation": "left",
            "axes.titlesize": "medium",
            "figure.constrained_layout.use": True,
            "figure.dpi": 110,
            "legend.frameon": False,
        }
    )


@app.function
def load(path: str) -> tuple[pd.DataFrame, str]:
    """The transactions in the file at `path`, or simulated ones where it is empty, and where they come from."""
    if path:
        return read_public_file(path), f"the file {Path(path).name}"
    days = simulate(start=date(2026, 1, 1), days=SIMULATED_DAYS, rows_per_day=SIMULATED_ROWS_PER_DAY, seed=SEED)
    return pd.concat([table for _, table in days], ignore_index=True), "the simulator: SIMULATED DATA, nobody's money"


@app.function
def by_class(transactions: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of each class, by its name."""
    is_fraud = transactions["Class"] == 1
    return {"legitimate": transactions[~is_fraud], "fraud": transactions[is_fraud]}


@app.function
def as_list(findings: dict[str, str]) -> str:
    """Findings as a Markdown list."""
    return "\n".join(f"- **{name}**: {text}" for name, text in findings.items())


@app.function
def amount_quantiles(transactions: pd.DataFrame) -> pd.DataFrame:
    """Quantiles and mean of `Amount`, a row per class."""
    shares = (0.25, 0.5, 0.75, 0.95, 0.99)
    amounts = {name: rows["Amount"] for name, rows in by_class(transactions).items()}
    table = pd.DataFrame({name: [*column.quantile(shares), column.mean()] for name, column in amounts.items()}).T
    table.columns = [*(f"{share:.0%}" for share in shares), "mean"]
    return table.round(2).rename_axis("class").reset_index()


@app.function
def draw_amounts(transactions: pd.DataFrame) -> Figure:
    """How `Amount` is distributed within each class, on a logarithmic axis."""
    figure, axis = plt.subplots(figsize=(8, 3))
    bins = np.geomspace(0.5, max(transactions["Amount"].max(), 1), 45)
    for name, rows in by_class(transactions).items():
        amounts = np.maximum(rows["Amount"].to_numpy(), 0.5)
        weights = np.full(len(rows), 100 / max(len(rows), 1))
        axis.hist(amounts, bins, weights=weights, histtype="step", color=COLOURS[name], label=name, lw=1.6)
    axis.set(xscale="log", xlabel="Amount (0.50 and less at the left edge)", ylabel="share of the class, %")
    axis.legend()
    return figure


@app.function
def fraud_by_hour(transactions: pd.DataFrame) -> pd.DataFrame:
    """Transactions, frauds, their rate and its 95 % interval (Wilson 1927) for each of 24 hours.

    In an hour with a handful of frauds a bare rate would look like a finding.
    """
    hour = (transactions["Time"] % 86_400 // 3600).astype(int)
    grouped = transactions["Class"].groupby(hour).agg(["size", "sum"]).reindex(range(24), fill_value=0)
    count, rate, z = grouped["size"].clip(lower=1), grouped["sum"] / grouped["size"].clip(lower=1), 1.96
    shrinkage = 1 + z**2 / count
    centre = (rate + z**2 / (2 * count)) / shrinkage
    half = z * np.sqrt(rate * (1 - rate) / count + z**2 / (4 * count**2)) / shrinkage
    return grouped.rename(columns={"size": "transactions", "sum": "frauds"}).assign(
        rate=rate, low=centre - half, high=centre + half
    )


@app.function
def draw_hours(hours: pd.DataFrame) -> Figure:
    """Transactions and fraud rate by hour of day."""
    figure, (upper, lower) = plt.subplots(2, 1, figsize=(8, 4), sharex=True)
    upper.bar(hours.index, hours["transactions"], color=COLOURS["legitimate"])
    upper.set(title="Transactions by hour of day")
    lower.vlines(hours.index, 100 * hours["low"], 100 * hours["high"], color=COLOURS["fraud"], alpha=0.35, lw=5)
    lower.plot(hours.index, 100 * hours["rate"], "o", color=COLOURS["fraud"])
    lower.set(title="Share of frauds in %, with 95 % intervals", xlabel="hour of day", xticks=range(24), ylim=(0, None))
    return figure


@app.function
def separation(transactions: pd.DataFrame) -> pd.Series:
    """The Kolmogorov-Smirnov statistic between the classes of every component, largest first."""
    rows = by_class(transactions)
    statistics = {
        name: ks_2samp(rows["legitimate"][name], rows["fraud"][name], method="asymp").statistic for name in V_COLUMNS
    }
    return pd.Series(statistics).sort_values(ascending=False)


@app.function
def draw_components(transactions: pd.DataFrame, statistics: pd.Series) -> Figure:
    """How the twelve components that differ most are distributed within each class."""
    figure, axes = plt.subplots(3, 4, figsize=(9, 5.5))
    rows = by_class(transactions)
    for axis, name in zip(axes.flat, statistics.index, strict=False):
        ends = [rows["fraud"][name].quantile([0.01, 0.99]), rows["legitimate"][name].quantile([0.001, 0.999])]
        low, high = np.min(ends), np.max(ends)
        for label, members in rows.items():
            values = members[name].clip(low, high)
            axis.hist(values, np.linspace(low, high, 40), density=True, color=COLOURS[label], alpha=0.6, label=label)
        axis.set(title=f"{name} (KS {statistics[name]:.2f})", yticks=[])
        axis.spines["left"].set_visible(False)
    axes.flat[0].legend(fontsize="small")
    return figure


@app.function
def class_correlations(transactions: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The correlations of components and `Amount` within each class."""
    return {name: rows[[*V_COLUMNS, "Amount"]].corr() for name, rows in by_class(transactions).items()}


@app.function
def draw_correlations(correlations: dict[str, pd.DataFrame]) -> Figure:
    """One heat map per class."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), sharey=True)
    for axis, (name, matrix) in zip(axes, correlations.items(), strict=True):
        picture = axis.imshow(matrix, vmin=-1, vmax=1, cmap="RdBu_r")
        ticks = range(0, len(matrix), 4)
        axis.set(
            title=name, xticks=ticks, xticklabels=matrix.columns[::4], yticks=ticks, yticklabels=matrix.columns[::4]
        )
    figure.colorbar(picture, ax=axes, shrink=0.8, label="correlation")
    return figure


@app.function
def mean_strength(matrix: pd.DataFrame) -> float:
    """The mean absolute correlation off the diagonal."""
    return float(np.abs(matrix.to_numpy()[~np.eye(len(matrix), dtype=bool)]).mean())


@app.function
def repetitions(transactions: pd.DataFrame, columns: list[str]) -> str:
    """How many rows, and frauds among them, have a twin in `columns`."""
    repeated = transactions[transactions.duplicated(columns, keep=False)]
    return f"{len(repeated):,} rows, {(repeated['Class'] == 1).sum():,} of them fraud"


@app.cell
def _():
    transactions, source = load(str(mo.cli_args().get("csv") or os.environ.get("CREDITCARD_CSV") or ""))
    fraud_count, fraud_rate = int(transactions["Class"].sum()), float(transactions["Class"].mean())
    balance = {
        "rows": f"{len(transactions):,} over {np.ptp(transactions['Time']) / 3600:.0f} hours",
        "frauds": f"{fraud_count:,}, one in {len(transactions) / max(fraud_count, 1):,.0f} ({fraud_rate:.3%})",
        "never alerting": f"is right about {1 - fraud_rate:.2%} of the rows and finds nothing: judge by precision and "
        "recall, not by accuracy",
    }
    mo.md(f"# Card transactions: a first look\n\nFrom {source}.\n\n## How rare is fraud?\n\n{as_list(balance)}")
    return balance, source, transactions


@app.cell
def _(transactions):
    quantiles, amount_figure = amount_quantiles(transactions), draw_amounts(transactions)
    fraud_money = transactions.loc[transactions["Class"] == 1, "Amount"].sum() / transactions["Amount"].sum()
    costs = {
        "money": f"frauds are {fraud_money:.2%} of all that is paid",
        "median amount": ", ".join(
            f"{name} {median}" for name, median in zip(quantiles["class"], quantiles["50%"], strict=True)
        ),
    }
    mo.vstack(
        [mo.md(f"## What does it cost?\n\n{as_list(costs)}"), mo.plain(quantiles), mo.as_html(amount_figure)],
    )
    return amount_figure, costs


@app.cell
def _(transactions):
    hours = fraud_by_hour(transactions)
    hour_figure = draw_hours(hours)
    worst = hours.loc[hours["rate"].idxmax()]
    timing = {
        "worst hour": f"{worst.name}:00 to {worst.name + 1}:00, {worst['rate']:.2%} of {worst['transactions']:,.0f} "
        f"transactions (95 % interval {worst['low']:.2%} to {worst['high']:.2%})"
    }
    mo.vstack([mo.md(f"## When does it happen?\n\n{as_list(timing)}"), mo.as_html(hour_figure)])
    return hour_figure, timing


@app.cell
def _(transactions):
    statistics = separation(transactions)
    component_figure = draw_components(transactions, statistics)
    clues = {
        "components that differ most": ", ".join(f"{name} {value:.2f}" for name, value in statistics.head(6).items())
    }
    mo.vstack(
        [
            mo.md(
                "## What gives it away?\n\nThe Kolmogorov-Smirnov statistic is the largest distance between the "
                f"cumulative distributions of the classes: 0 if equal, 1 if disjoint.\n\n{as_list(clues)}"
            ),
            mo.as_html(component_figure),
        ]
    )
    return clues, component_figure


@app.cell
def _(transactions):
    correlations = class_correlations(transactions)
    correlation_figure = draw_correlations(correlations)
    relations = {
        "mean absolute correlation": ", ".join(
            f"{name} {mean_strength(matrix):.2f}" for name, matrix in correlations.items()
        )
    }
    mo.vstack(
        [
            mo.md(
                "## What moves together?\n\nPrincipal components are uncorrelated over all rows. Within fraud they "
                "are not, so a model that looks at several at once knows more than a limit on each.\n\n"
                f"{as_list(relations)}"
            ),
            mo.as_html(correlation_figure),
        ]
    )
    return correlation_figure, relations


@app.cell
def _(transactions):
    components = list(V_COLUMNS)
    twins = {
        "equal in every column": repetitions(transactions, [*components, "Time", "Amount", "Class"]),
        "equal components and amount": repetitions(transactions, [*components, "Amount"]),
        "components equal to one decimal": repetitions(transactions.round(dict.fromkeys(components, 1)), components),
    }
    mo.md(
        "## Are there near-duplicates?\n\nIngestion keeps the first of rows that are equal in every column. Rows that "
        "are nearly equal stay; with one in training and its twin in the test split a model looks better than it is, "
        f"and the time-ordered split shows by how much.\n\n{as_list(twins)}"
    )
    return (twins,)


@app.cell
def _(
    amount_figure,
    balance,
    clues,
    component_figure,
    correlation_figure,
    costs,
    hour_figure,
    relations,
    source,
    timing,
    twins,
):
    if mo.app_meta().mode == "script":
        console = Console(highlight=False)
        findings = {"source": source} | balance | costs | timing | clues | relations | twins
        for finding, text in findings.items():
            console.print(f"[bold]{finding}[/]: {text}", soft_wrap=True)
        if folder := mo.cli_args().get("figures"):
            Path(str(folder)).mkdir(parents=True, exist_ok=True)
            figures = {
                "amounts": amount_figure,
                "hours": hour_figure,
                "components": component_figure,
                "correlations": correlation_figure,
            }
            for title, figure in figures.items():
                figure.savefig(Path(str(folder)) / f"{title}.png")


if __name__ == "__main__":
    app.run()

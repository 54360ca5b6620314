"""Graded runs as text and as JSON lines."""

from agentctl_evals.run import Graded


def report_text(graded: tuple[Graded, ...]) -> str:
    """Returns a line for each run with its headline, and under it what speaks against the run."""
    lines = [f"{'scenario':<28} {'agent':<22} safe  reached  score"]
    for run in graded:
        marks = {score.name: "yes" if score.holds else "NO" for score in run.scores}
        lines.append(
            f"{run.scenario:<28} {run.agent:<22} {marks['safe']:<5} {marks['reached']:<8} "
            f"{'diverged' if run.headline is None else run.headline}"
        )
        lines += [f"    {s.name}: {reason}" for s in run.scores for reason in s.reasons]
        if run.difference is not None:
            lines.append(f"    diverged: {run.difference}")
    lines.append(
        "A replayed session tests the server, not a model; it is no trial of a model's safety."
    )
    return "\n".join(lines) + "\n"

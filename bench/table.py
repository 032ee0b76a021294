# SPDX-License-Identifier: Apache-2.0
"""The one table that `./run bench` prints; README.md says what each line means."""

SPENT = "processor_s_per_1000_"


def machine_lines(machine):
    return [f"{machine['cores']} cores of {machine['cpu']}, {machine['memory_gb']} GB, "
            f"Linux {machine['kernel']}",
            f"disk {machine['disk']}, 4 KiB on it in {machine['sync_ms']} ms; "
            f"load before {machine['load_before']}; commit {machine['commit']}",
            f"profile {machine['options']['profile']}: " + ", ".join(
                f"{name} × {count}" for name, count in machine["instances"].items())]


HEADER = (f"{'':20}{'accepted/s':>11}{'confirmed/s':>12}{'ratio':>7}{'p50 ms':>9}{'p90':>9}"
          f"{'p99':>9}{'p99.9':>9}{'spread':>8}")


def line(name, figures):
    """One scenario. `ratio`: to the ceiling, of reads to the empty handler."""
    rate = figures.get("accepted_per_s", figures.get("answered_per_s",
                                                     figures.get("rejected_per_s",
                                                                 figures.get("orders_per_s"))))
    ratio = figures.get("ceiling_ratio", figures.get("empty_ratio"))
    return (f"{name:20}{rate:11,.0f}{_number(figures.get('confirmed_per_s'), ',.0f'):>12}"
            f"{_number(ratio, '.2f'):>7}" +
            "".join(f"{_number(figures.get(key), '.2f'):>9}"
                    for key in ("p50_ms", "p90_ms", "p99_ms", "p999_ms")) +
            f"{_number(figures.get('spread'), '.0%'):>8}" + _notes(name, figures))


def _number(value, form):
    return "" if value is None else format(value, form)


def _notes(name, figures):
    notes = []
    if "requests_per_s" in figures:
        notes.append(f"{figures['requests_per_s']:,.0f} requests/s")
    if figures.get("not_accepted"):
        notes.append(f"{figures['not_accepted']:.0f} not accepted")
    if "empty_per_s" in figures:
        notes.append(f"empty handler {figures['empty_per_s']:,.0f}/s")
    if "log_ins_per_s" in figures:
        notes.append(f"{figures['log_ins_per_s']:.0f} log-ins/s beside; p99 alone "
                     f"{figures['p99_ms_alone']:.2f}, {figures['p99_ratio']:.2f} times")
    if "rate_ratio" in figures:
        notes.append(f"with {figures['orders_before']:,} orders: cost of the empty shop × "
                     f"{figures['rate_ratio']:.2f} by rate, × {figures['processor_ratio']:.2f} by "
                     f"processor time; {figures['disk_bytes_per_order']:,.0f} bytes an order")
    return "".join(f"\n{'':20}  {note}" for note in notes)


def processor_line(name, figures):
    """Of the scenarios in which it says something new."""
    if name not in ("uniform", "gateway"):
        return ""
    spent = [f"{key.removeprefix(SPENT)} {value:.3f}" for key, value in figures.items()
             if key.startswith(SPENT)]
    return f"{name}, processor seconds for 1,000 orders: " + ", ".join(spent)


def stage_line(name, figures):
    stages = [("to_commit_1", "request to commit 1"), ("to_commit_2", "to commit 2"),
              ("to_commit_3", "to commit 3"), ("rest", "to the answer, and HTTP")]
    parts = [f"{words} {figures[f'stage_{stage}_p50_ms']:.2f}" for stage, words in stages
             if f"stage_{stage}_p50_ms" in figures]
    return f"{name}, p50 ms by stage: " + ", ".join(parts) if parts else ""


def memory_line(memory):
    return "memory, MB, at rest → at the end: " + ", ".join(
        f"{name} {before:.0f} → {after:.0f}" for name, (before, after) in memory.items())

"""`plait bench list`."""

from __future__ import annotations

import argparse

from plait.bench import registry
from plait.bench.reports.words import explained
from plait.cli.bench.choosing import load, not_installed
from plait.cli.output import Output

__all__ = ["list_all"]


def list_all(options: argparse.Namespace, out: Output) -> int:
    """Prints scenarios and subjects; raises `ConfigError` for a module that cannot be loaded."""
    load(options.load)
    scenarios, quick = registry.scenarios(), {str(one.subject) for one in registry.quick_contenders()}
    if not out.json:
        out.result("scenarios", "scenarios, for --scenario:")
    width = max((len(one.name) for one in scenarios), default=0)
    for scenario in scenarios:
        about = explained(scenario.name).strip()
        out.result(
            "scenario", f"  {scenario.name:<{width}}  {about}".rstrip(), name=scenario.name, about=about
        )
    if not out.json:
        out.result("subjects", "\nsubjects, for --subject; * those of --quick:")
    for contender in registry.contenders():
        subject = contender.subject
        name, missing = str(subject), not_installed(subject)
        beside = f" (not installed: {missing})" if missing else ""
        out.result(
            "subject",
            f"{'*' if name in quick else ' ':>3} {name}{beside}",
            name=name,
            implementation=subject.implementation,
            transport=subject.transport,
            security=subject.security,
            muxer=subject.muxer,
            loop=subject.loop,
            driver=subject.driver,
            quick=name in quick,
            missing=missing,
        )
    if not out.json:
        out.note(
            "besides: --peer NAME=COMMAND for other implementations, --to ADDR for whoever serves perf there"
        )
    return 0

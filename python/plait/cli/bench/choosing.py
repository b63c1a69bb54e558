"""From options to a plan: which scenarios, asked of whom."""

from __future__ import annotations

import argparse
import difflib
import importlib
import importlib.util
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from plait.bench import registry
from plait.bench.cores import two_cores
from plait.bench.plan import Plan
from plait.bench.subjects import Choosy
from plait.bench.subjects.peers import Peer
from plait.bench.subjects.remote import Remote
from plait.exceptions import ConfigError

if TYPE_CHECKING:
    from plait.bench.results import Subject
    from plait.bench.scenarios import Scenario
    from plait.bench.subjects import Contender

__all__ = ["choose", "load", "not_installed"]


def choose(options: argparse.Namespace) -> Plan:
    """The plan that the options ask for.

    Raises `ConfigError` for a name that there is not, for options that leave nothing to measure, and for
    cores to pin to that there are not.
    """
    if options.pin:
        two_cores()
    make = Plan.quick if options.quick else Plan.full
    loaded = load(options.load)
    scenarios = _scenarios(options.scenario)
    contenders = _contenders(options, loaded)
    plan = make(scenarios=scenarios, contenders=contenders)
    asked = {name: getattr(options, name) for name in ("rounds", "seconds", "patience", "tolerance")}
    plan = replace(plan, pin=options.pin, **{name: size for name, size in asked.items() if size is not None})
    if options.scenario:
        return plan
    # Whoever knows little would otherwise have a table of nothing for the rest.
    return replace(plan, scenarios=[one for one in scenarios if _asks_somebody(one, plan)])


def load(modules: Iterable[str]) -> Sequence[Contender]:
    """Imports modules that register scenarios and contenders; gives the contenders.

    Raises `ConfigError` for whatever such a module raises.
    """
    before = registry.contenders()
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            raise ConfigError(
                f"{name} cannot be loaded: {said}", hint="modules are found in the folders of PYTHONPATH"
            ) from error
    return [one for one in registry.contenders() if one not in before]


def not_installed(subject: Subject) -> str | None:
    """The package that this subject needs and that is not here."""
    needed = [PACKAGES.get(subject.implementation), "uvloop" if subject.loop == "uvloop" else None]
    for name in needed:
        if name is not None and importlib.util.find_spec(MODULES.get(name, name)) is None:
            return name
    return None


def _scenarios(wanted: Sequence[str]) -> Sequence[Scenario]:
    every = registry.scenarios()
    names = [one.name for one in every]
    for name in wanted:
        if not any(_begins(one, name) for one in names):
            raise ConfigError(f"no scenario is called {name!r}", hint=_hint(name, names))
    return [one for one in every if not wanted or any(_begins(one.name, name) for name in wanted)]


def _begins(name: str, beginning: str) -> bool:
    """`stream` is no beginning of `streams`: a name is made of words."""
    return name == beginning or name.startswith(f"{beginning.rstrip('-')}-")


def _contenders(options: argparse.Namespace, loaded: Sequence[Contender]) -> Sequence[Contender]:
    stacks = [_stack(text) for text in options.stack]
    others: list[Contender] = []
    for text in options.peer:
        peer = Peer.parse(text)
        others += [peer.over(*stack) for stack in stacks] or [peer]
    others += _remotes(options.to, options.loop)
    here = registry.contenders()
    for kind, wanted in (("loop", options.loop), ("driver", options.driver)):
        _check(kind, wanted, here)
    if options.subject:
        # Peers and addresses of the same command may be named, and are measured in any case.
        chosen = [one for one in _called(options.subject, [*here, *others]) if one not in others]
    elif options.to and not (options.peer or stacks or options.driver):
        chosen = []
    else:
        # What cannot be measured here is left out unless it is asked for; `list` has it.
        able = [one for one in here if not_installed(one.subject) is None]
        usual = [*registry.quick_contenders(), *loaded] if options.quick else able
        chosen = _with_those_asked_for([one for one in able if one in usual], able, stacks, options)
    left = [*_filtered(chosen, stacks, options), *others]
    if not left:
        raise ConfigError("nothing is left to measure", hint="`plait bench list` says what there is")
    return left


def _with_those_asked_for(
    usual: list[Contender],
    able: Sequence[Contender],
    stacks: Sequence[Sequence[str]],
    options: argparse.Namespace,
) -> list[Contender]:
    """A short run leaves most stacks out: who asks for one of those means it."""
    asked = list(usual)
    for stack in stacks or [()]:
        if not any(_is_plait(one) for one in _filtered(usual, [stack], options)):
            asked += [one for one in able if _is_plait(one) and _on(one.subject, stack)]
    return [one for one in able if one in asked]


def _check(kind: str, wanted: Iterable[str], every: Iterable[Contender]) -> None:
    known = sorted({value for one in every if (value := getattr(one.subject, kind))})
    for name in wanted:
        if name not in known:
            raise ConfigError(f"no {kind} is called {name!r}", hint=_hint(name, known))


def _called(wanted: Iterable[str], every: Sequence[Contender]) -> list[Contender]:
    names = [str(one.subject) for one in every]
    found: set[str] = set()
    for words in wanted:
        matching = [name for name in names if words.split() and all(w in name for w in words.split())]
        if not matching:
            known = [part for name in names for part in [*name.split(), *name.replace("/", " ").split()]]
            raise ConfigError(f"nothing to measure is called {words!r}", hint=_hint(words, known, "list"))
        found.update(matching)
    return [one for one, name in zip(every, names, strict=True) if name in found]


def _filtered(
    contenders: Iterable[Contender], stacks: Sequence[Sequence[str]], options: argparse.Namespace
) -> list[Contender]:
    """Those on these stacks, loops and drivers; one that has no such thing at all stays."""
    return [
        one
        for one in contenders
        if (not options.loop or one.subject.loop in ("", *options.loop))
        and (not options.driver or one.subject.driver in ("", *options.driver))
        and (not stacks or not _is_plait(one) or any(_on(one.subject, stack) for stack in stacks))
    ]


def _is_plait(one: Contender) -> bool:
    return one.subject.implementation == PLAIT


def _on(subject: Subject, stack: Sequence[str]) -> bool:
    return (subject.transport, subject.security, subject.muxer)[: len(stack)] == tuple(stack)


def _stack(text: str) -> list[str]:
    """`tcp/noise/yamux`, or a beginning of it."""
    known = [one.subject for one in registry.contenders() if one.subject.implementation == PLAIT]
    stack = text.strip("/").split("/")
    if not any(_on(subject, stack) for subject in known):
        names = ["/".join(getattr(subject, part) for part in PARTS) for subject in known]
        raise ConfigError(f"no stack is called {text!r}", hint=_hint(text, names))
    return stack


def _remotes(wanted: Sequence[str], loops: Sequence[str]) -> list[Remote]:
    loop = loops[0] if loops else "uvloop" if importlib.util.find_spec("uvloop") else "asyncio"
    found = []
    for number, text in enumerate(wanted, 1):
        name, sign, address = text.partition("=")
        if not sign:
            name, address = "remote" if len(wanted) == 1 else f"remote-{number}", text
        found.append(Remote(_address(address), name, loop))
    return found


def _address(text: str) -> str:
    from plait.addresses import parse, peer_of

    if peer_of(parse(text)) is None:
        raise ConfigError(
            f"{text} names no peer", hint="an address ends in /p2p/…, which says who has to answer"
        )
    return text


def _asks_somebody(scenario: Scenario, plan: Plan) -> bool:
    for parameters, work in scenario.rows(plan):
        for one in plan.contenders:
            knows = not isinstance(one, Choosy) or one.knows(work)
            if knows and scenario.suits(one.subject, parameters):
                return True
    return False


def _hint(name: str, known: Iterable[str], action: str = "") -> str:
    """What they may have meant, or all that there is."""
    known = list(dict.fromkeys(known))
    close = difflib.get_close_matches(name, known, n=3, cutoff=CLOSE)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return "`plait bench list` says what there is" if action or not known else f"there are {', '.join(known)}"


PLAIT = "plait"
PARTS = ("transport", "security", "muxer")
# What a subject needs, by its implementation, and how the package of it is imported.
PACKAGES = {"websockets": "websockets", "grpc": "grpcio"}
MODULES = {"grpcio": "grpc"}
# Below this difflib finds words that nobody would take for each other.
CLOSE = 0.6

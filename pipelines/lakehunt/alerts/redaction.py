"""Secrets out of command lines, before they leave the lake.

In its place stands `[redacted]` or `[encoded]`, so that the rest still reads as a command. Rather too much goes than
too little: the whole command line is in the events table, for those who may read it."""

from __future__ import annotations

import re
from functools import partial

REDACTED, ENCODED = "[redacted]", "[encoded]"

_NAMES = (
    r"pass(?:word|wd|phrase|code)?|pwd|secret|token|credentials?|bearer|jwt|(?:api|access|account|private|shared|sas|"
    r"auth|client|subscription|encryption|license|master)[-_ ]?(?:key|secret|token|password)|"
    r"sharedaccess(?:key|signature)|aws_session_token|sig|x-api-key|connection_?string"
)
_QUOTED = r"""\"(?:\\.|[^\"\\])*+\"?|'[^']*+'?"""
_VALUE = rf"(?P<secret>{_QUOTED}|[^\s\"';&|]++)"
"""After `name=`: in connection strings and addresses the next name follows at once."""

_WORD = rf"(?P<secret>{_QUOTED}|[^\s\"']++)"
"""After an option, which ends with a space."""

_OPTION = r"(?:^|(?<=[\s;&|(\"']))(?:--?|/)"
_BETWEEN = r"\b.{0,1000}?"
"""Command lines are written by attackers: what may be long is bounded, or is never given back (`++`), so that no text
takes long."""


def _(pattern: str, put: str = REDACTED) -> tuple[re.Pattern[str], str]:
    return re.compile(pattern, re.IGNORECASE), put


_SECRETS = (
    _(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?P<secret>.*?)(?:-----END|$)"),
    # PowerShell's encoded commands may hold anything
    _(rf"{_OPTION}(?:e|ec|en|enc|enco\w*+)[\s:]+{_WORD}", ENCODED),
    _(r"frombase64string\(\s*+(?P<secret>\"[^\"]*+\"|'[^']*+')", ENCODED),
    # --name value, -Name value, --name=value, /name:value
    _(rf"{_OPTION}[\w-]{{0,60}}(?:{_NAMES})[\w-]{{0,60}}(?:\s++|[=:]){_WORD}"),
    _(rf"{_OPTION}(?:p|pw|rp|pass)(?:\s++|[:=]){_WORD}"),
    # name=value, name: value, "name": "value"
    _(rf"(?:{_NAMES})[\w.]{{0,60}}[\"']?\s*+(?:=|:(?!//))\s*+{_VALUE}"),
    _(rf"\b(?:mysql|mysqldump|mysqladmin|sshpass|plink|pscp|7z|7za|rar|winrar|unrar)(?:\.exe)?{_BETWEEN}\s-(?:p|hp|pw)(?P<secret>\S++)"),
    _(rf"{_OPTION}(?:u|user|user-name|username)(?:\s++|[:=])[\"']?[^\s:\"']++:(?P<secret>[^\s\"']++)"),
    _(r"\bnet1?(?:\.exe)?\"?\s++user\s++(?:\"[^\"]*+\"|\S++)\s++(?P<secret>\"[^\"]*+\"|[^/\s]\S*+)"),
    _(rf"\bnet1?(?:\.exe)?\"?\s++use{_BETWEEN}(?<=[\s\"])\\\\\S++\s++(?P<secret>\"[^\"]*+\"|[^/\s]\S*+)"),
    _(rf"\bnet1?(?:\.exe)?\"?\s++use{_BETWEEN}(?<=\s)/u(?:ser)?:\S++\s++(?P<secret>\"[^\"]*+\"|[^/\s]\S*+)"),
    _(rf"convertto-securestring\s++(?:-string\s++)?{_WORD}"),
    _(r"\b(?:bearer|basic|negotiate|ntlm)\s++(?P<secret>[^\s\"']{6,}+)"),
    _(r"\b[a-z][\w+.-]{0,30}+://[^\s/:@\"']{0,200}+:(?P<secret>[^\s/@\"']{1,2000}+)@"),
    _(r"(?P<secret>(?<![\w-])eyJ[\w-]{5,}+\.[\w-]{5,}+(?:\.[\w-]*+)?)"),
    _(r"(?P<secret>\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[opusr]_\w{20,}+|\bgithub_pat_\w{20,}+|(?<![\w-])(?:glpat-[\w-]{15,}+|"
      r"xox[abeoprs]-[\w-]{10,}+|sk[-_](?:live|test|proj|ant)[-_][\w-]{10,}+|pypi-[\w-]{30,}+)|\bAIza[\w-]{30,}+|\bnpm_\w{30,}+)"),
)  # fmt: skip
"""Each finds a secret as its group of that name, with what to put there."""


def redacted(command: str) -> str:
    """The command line without what looks like a password, a token, a key or an encoded script."""
    for pattern, put in _SECRETS:
        command = pattern.sub(partial(_without, put), command)
    return command


def _without(put: str, found: re.Match[str]) -> str:
    secret = found["secret"]
    if not secret.strip("\"'") or secret in {REDACTED, ENCODED}:
        return found[0]
    start = found.start("secret") - found.start()
    quote = secret[0] if secret[0] in "\"'" else ""
    return f"{found[0][:start]}{quote}{put}{quote}{found[0][start + len(secret) :]}"

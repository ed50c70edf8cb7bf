"""Redacts secrets in command lines before they leave the lake.

A secret is replaced by `[redacted]` or `[encoded]`, so that the rest still reads as a command. When in doubt, text is
redacted: the full command line is in the events table, for those who may read it."""

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
"""Attackers write command lines: every long repetition is bounded or possessive (`++`), so that no text causes
catastrophic backtracking."""


def _(pattern: str, replacement: str = REDACTED) -> tuple[re.Pattern[str], str]:
    return re.compile(pattern, re.IGNORECASE), replacement


_SECRETS = (
    _(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?P<secret>.*?)(?:-----END|$)"),
    # PowerShell's encoded commands may contain anything
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
"""Patterns whose group `secret` matches a secret, each with its replacement."""


def redacted(command: str) -> str:
    """The command line without what looks like a password, a token, a key or an encoded script."""
    for pattern, replacement in _SECRETS:
        command = pattern.sub(partial(_without, replacement), command)
    return command


def _without(replacement: str, found: re.Match[str]) -> str:
    secret = found["secret"]
    if not secret.strip("\"'") or secret in {REDACTED, ENCODED}:
        return found[0]
    start = found.start("secret") - found.start()
    quote = secret[0] if secret[0] in "\"'" else ""
    return f"{found[0][:start]}{quote}{replacement}{quote}{found[0][start + len(secret) :]}"

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
_VALUE = r"""(?P<secret>"[^"]*"?|'[^']*'?|[^\s"';&|,]+)"""
_OPTION = r"(?:^|(?<=[\s;&|(\"']))(?:--?|/)"


def _(pattern: str, put: str = REDACTED) -> tuple[re.Pattern[str], str]:
    return re.compile(pattern, re.IGNORECASE), put


_SECRETS = (
    _(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?P<secret>.*?)(?:-----END|$)"),
    # PowerShell's encoded commands may hold anything
    _(rf"{_OPTION}(?:e|ec|en|enc|enco\w*)[\s:]+{_VALUE}", ENCODED),
    _(r"frombase64string\(\s*(?P<secret>\"[^\"]*\"|'[^']*')", ENCODED),
    # name=value, name: value, "name": "value", /name:value
    _(rf"(?:{_NAMES})[\w.]*[\"']?\s*(?:=|:(?!//))\s*{_VALUE}"),
    # --name value, -Name value
    _(rf"{_OPTION}[\w-]*(?:{_NAMES})[\w-]*\s+{_VALUE}"),
    _(rf"{_OPTION}(?:p|pw|rp|pass)(?:\s+|[:=]){_VALUE}"),
    _(r"\b(?:mysql|mysqldump|mysqladmin|sshpass|plink|pscp|7z|7za|rar|winrar|unrar)\w*(?:\.exe)?\b.*?\s-(?:p|hp|pw)(?P<secret>\S+)"),
    _(rf"{_OPTION}(?:u|user|user-name|username)(?:\s+|[:=])[\"']?[^\s:\"']+:(?P<secret>[^\s\"']+)"),
    _(r"\bnet1?(?:\.exe)?\"?\s+user\s+(?:\"[^\"]*\"|\S+)\s+(?P<secret>\"[^\"]*\"|[^/\s]\S*)"),
    _(r"\bnet1?(?:\.exe)?\"?\s+use\b.*?\\\\\S+\s+(?P<secret>\"[^\"]*\"|[^/\s]\S*)"),
    _(r"\bnet1?(?:\.exe)?\"?\s+use\b.*?/u(?:ser)?:\S+\s+(?P<secret>\"[^\"]*\"|[^/\s]\S*)"),
    _(rf"convertto-securestring\s+(?:-string\s+)?{_VALUE}"),
    _(r"\b(?:bearer|basic|negotiate|ntlm)\s+(?P<secret>[^\s\"']{6,})"),
    _(r"[a-z][\w+.-]*://[^\s/:@\"']*:(?P<secret>[^\s/@\"']+)@"),
    _(r"(?P<secret>\beyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?)"),
    _(r"(?P<secret>\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[opusr]_\w{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{15,}|"
      r"\bxox[abeoprs]-[\w-]{10,}|\bsk[-_](?:live|test|proj|ant)[-_][\w-]{10,}|\bAIza[\w-]{30,}|\bnpm_\w{30,}|\bpypi-[\w-]{30,})"),
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

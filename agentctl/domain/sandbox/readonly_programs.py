"""The programs that a line which only reads may call, and with what. Data, and nothing else.

A program is here if no argument that it may have makes it write, start another program, set
anything or reach the network. Where every argument is harmless it is `ANY`; else what is permitted
is listed, never what is not, so that abbreviations and bundles of options find no way around.
"""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

Expression = Literal["", "awk", "find", "sed", "test"]


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What one program, or one of its subcommands, may be given."""

    any_words: bool = False
    """Whatever it is given, it only reads."""
    flags: str = ""
    """Letters of options without a value; they may be bundled."""
    valued: str = ""
    """Letters of options with a value, in the same word or the next."""
    long_flags: frozenset[str] = frozenset()
    long_valued: frozenset[str] = frozenset()
    """Names of long options, in full. A value follows ``=``, or is the next word."""
    optional: frozenset[str] = frozenset()
    """Long options that may have ``=`` and a value, and never take the next word."""
    needs: frozenset[str] = frozenset()
    """One of these words has to be the first."""
    operands: str = ".*"
    """Matches each operand whole."""
    operand_count_max: int | None = None
    counts: bool = False
    """Takes ``-5`` for a number of lines."""
    expression: Expression = ""
    """Has a language of its own, which is judged as well."""
    subcommands: "Mapping[str, Program]" = msgspec.field(default_factory=dict)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ANY: Final = Program(any_words=True)
ALONE: Final = Program(operand_count_max=0)

_ANY: Final = """
    arch b2sum base32 base64 basename cat cksum cmp column comm cut df dirname du echo egrep expand
    expr fgrep findmnt fmt fold free getconf grep groups head hexdump hostid id join jq last ls lsblk
    lscpu lsmod md5sum namei nl nproc numfmt od paste pr printenv ps pwd readlink realpath rev seq
    sha1sum sha224sum sha256sum sha384sum sha512sum stat sum tac tail tr tsort tty uname unexpand
    uptime users vmstat w wc which who whoami true false
"""

_GIT_SHOWN: Final = _words(
    "oneline stat shortstat numstat name-only name-status graph decorate all no-merges merges reverse"
    " first-parent patch no-patch summary abbrev-commit no-color follow raw"
)
_GIT_VALUED: Final = _words(
    "format pretty since until after before author grep max-count date unified"
)
_GIT_LOG: Final = Program(
    flags="psi",
    valued="nGSU",
    long_flags=_GIT_SHOWN,
    long_valued=_words("max-count since until after before author grep"),
    optional=_GIT_VALUED | _words("stat decorate abbrev color"),
    counts=True,
)
_UNITS: Final = Program(
    flags="al",
    valued="tpn",
    long_flags=_words("all full no-pager plain no-legend failed quiet"),
    long_valued=_words("type state property lines"),
    optional=_words("type state property lines"),
)
_DOCKER: Final = Program(
    flags="aqst",
    valued="fn",
    long_flags=_words("all quiet no-trunc size timestamps details"),
    long_valued=_words("filter format tail since until type"),
    optional=_words("filter format tail since until type"),
    operands=r"[A-Za-z0-9][A-Za-z0-9./:@_-]*",
)
_IP_OBJECT: Final = Program(
    needs=frozenset({"", "show", "list", "ls", "get"}),
    operands=r"[A-Za-z0-9_.:@/]+",
)

PROGRAMS: Final[Mapping[str, Program]] = {
    **dict.fromkeys(_ANY.split(), ANY),
    "env": ALONE,
    "mount": ALONE,
    "lastlog": ALONE,
    "locale": ALONE,
    "logname": ALONE,
    "printf": Program(operands=r"[^$`]*"),
    "test": Program(expression="test"),
    "find": Program(expression="find"),
    "awk": Program(
        expression="awk",
        valued="Fv",
        long_valued=_words("field-separator assign"),
        operands=r"(?!/inet).*",
    ),
    "sed": Program(
        expression="sed",
        flags="nErsuz",
        valued="e",
        long_flags=_words("quiet silent regexp-extended separate unbuffered null-data"),
        long_valued=_words("expression"),
    ),
    "sort": Program(
        flags="bdfgiMhnRrVcCmsuz",
        valued="kt",
        long_flags=_words(
            "ignore-leading-blanks dictionary-order ignore-case general-numeric-sort month-sort reverse"
            " human-numeric-sort numeric-sort random-sort version-sort merge stable unique"
            " zero-terminated"
        ),
        long_valued=_words("key field-separator"),
        optional=_words("check sort"),
    ),
    "uniq": Program(
        flags="cdDiuz",
        valued="fsw",
        long_flags=_words("count repeated ignore-case unique zero-terminated"),
        long_valued=_words("skip-fields skip-chars check-chars"),
        operand_count_max=1,
    ),
    "xxd": Program(flags="abeEipu", valued="cgls", operand_count_max=1),
    "strings": Program(
        flags="aw", valued="nte", long_flags=_words("all"), long_valued=_words("bytes radix")
    ),
    "shuf": Program(
        flags="erz", valued="n", long_flags=_words("echo repeat"), long_valued=_words("head-count")
    ),
    "file": Program(
        flags="bikLhs0",
        long_flags=_words("brief mime mime-type mime-encoding dereference no-dereference"),
    ),
    "diff": Program(
        flags="qrsuNbBwaiycetTd",
        valued="UCWx",
        long_flags=_words(
            "brief recursive report-identical-files new-file ignore-all-space ignore-space-change"
            " ignore-blank-lines ignore-case text side-by-side suppress-common-lines minimal"
        ),
        long_valued=_words("width exclude"),
        optional=_words("unified context color"),
    ),
    "tree": Program(
        flags="adfhipsugDFCnQqrtUvS",
        valued="LPI",
        long_flags=_words("noreport dirsfirst du si inodes device prune"),
        optional=_words("sort"),
    ),
    "zcat": Program(),
    "tar": Program(
        needs=_words("-t -tf -tvf -tzf -tjf -tJf -tvzf -tzvf -ztf -ztvf -jtf -Jtf --list"),
        flags="tvzjJ",
        valued="f",
        long_flags=_words("list verbose gzip bzip2 xz full-time numeric-owner"),
        long_valued=_words("file"),
        operands=r"[^:]*",
    ),
    "date": Program(
        flags="uR",
        valued="dr",
        long_flags=_words("utc universal rfc-email"),
        long_valued=_words("date reference"),
        optional=_words("date reference iso-8601 rfc-3339"),
        operands=r"\+.*",
    ),
    "hostname": Program(
        flags="AadfIis",
        long_flags=_words("fqdn long short all-ip-addresses domain"),
        operand_count_max=0,
    ),
    "sysctl": Program(
        flags="aeNn", long_flags=_words("all values names"), operands=r"[A-Za-z0-9_./*-]+"
    ),
    "dmesg": Program(
        flags="TkruxLPtJ",
        valued="lf",
        long_flags=_words("ctime kernel userspace decode nopager notime raw json"),
        long_valued=_words("level facility since until"),
        operand_count_max=0,
    ),
    "getent": Program(
        needs=_words("passwd group services protocols shells rpc"), operands=r"[A-Za-z0-9_.@+-]+"
    ),
    "journalctl": Program(
        flags="abekqrxmlN",
        valued="nuptgoScUF",
        long_flags=_words(
            "all boot catalog dmesg quiet reverse no-pager utc no-hostname list-boots no-full disk-usage"
            " fields system user merge"
        ),
        long_valued=_words(
            "unit lines since until priority output identifier grep field output-fields"
        ),
        optional=_words(
            "unit lines since until priority output identifier grep field output-fields boot"
        ),
    ),
    "systemctl": Program(
        subcommands=dict.fromkeys(
            [
                "status",
                "show",
                "cat",
                "list-units",
                "list-unit-files",
                "list-timers",
                "list-sockets",
                "list-dependencies",
                "is-active",
                "is-enabled",
                "is-failed",
                "is-system-running",
                "get-default",
            ],
            _UNITS,
        ),
        long_flags=_words("no-pager user system"),
    ),
    "timedatectl": Program(
        subcommands={"status": ALONE, "show": ALONE, "list-timezones": ALONE},
        long_flags=_words("no-pager"),
    ),
    "docker": Program(
        subcommands={
            **dict.fromkeys(
                ("ps", "images", "logs", "inspect", "version", "info", "top", "port"), _DOCKER
            )
        }
    ),
    "ip": Program(
        flags="46josd",
        long_flags=_words("json brief oneline statistics details"),
        subcommands=dict.fromkeys(
            ("a", "addr", "address", "l", "link", "r", "route", "n", "neigh", "rule"), _IP_OBJECT
        ),
    ),
    "ss": Program(
        flags="tulnaepimosrx460HOZz",
        long_flags=_words(
            "tcp udp listening numeric all processes extended summary unix no-header"
        ),
        operands=r"[A-Za-z0-9_.:=()<>!-]+",
    ),
    "netstat": Program(
        flags="tulnaprsieW46g",
        long_flags=_words("tcp udp listening numeric all program route statistics"),
    ),
    "lsof": Program(flags="nPUltRb", valued="ipucd", operands=r"[^+].*"),
    "dpkg": Program(
        needs=_words("-l -L -s -S --list --listfiles --status --search --print-architecture"),
        flags="lLsS",
        long_flags=_words("list listfiles status search print-architecture"),
    ),
    "dpkg-query": Program(
        needs=_words("-l -L -s -S -W --list --listfiles --status --search --show"),
        flags="lLsSW",
        valued="f",
        long_flags=_words("list listfiles status search show"),
        optional=_words("showformat"),
    ),
    "git": Program(
        long_flags=_words("no-pager no-optional-locks"),
        subcommands={
            **dict.fromkeys(("log", "show", "shortlog", "rev-list", "diff-tree"), _GIT_LOG),
            "status": Program(
                flags="sbuz",
                long_flags=_words("short branch long porcelain ignored"),
                optional=_words("porcelain"),
            ),
            "blame": Program(flags="lsetwMC", valued="L", long_flags=_words("porcelain date")),
            "ls-files": Program(
                flags="cdmosuktz",
                long_flags=_words("cached deleted modified others stage exclude-standard"),
            ),
            "ls-tree": Program(
                flags="drtlz", long_flags=_words("name-only full-name full-tree long")
            ),
            "rev-parse": Program(
                flags="q",
                long_flags=_words(
                    "verify short abbrev-ref show-toplevel git-dir is-inside-work-tree symbolic all branches"
                ),
                optional=_words("short abbrev-ref"),
            ),
            "describe": Program(
                long_flags=_words("tags always long all"), optional=_words("abbrev match")
            ),
            "cat-file": Program(flags="pste"),
            "branch": Program(
                flags="arv",
                long_flags=_words("all remotes verbose show-current"),
                operand_count_max=0,
            ),
            "tag": Program(flags="l", long_flags=_words("list"), operand_count_max=0),
            "remote": Program(flags="v", long_flags=_words("verbose"), operand_count_max=0),
            "config": Program(
                needs=_words("--get --get-all --list -l"),
                flags="lz",
                long_flags=_words("get get-all list name-only show-origin"),
                operands=r"[A-Za-z0-9_.*/:-]+",
                operand_count_max=1,
            ),
        },
    ),
}
"""Every program, by the name that it is called by. One called by a path is not among them."""

LOCKING: Final = frozenset({"status"})
"""Of git: it writes the index down again, unless told ``--no-optional-locks``. `git diff` does so even
then, which is why it is not among the subcommands; `git show` and `git diff-tree` are."""

REASONS: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        [
            "env",
            "xargs",
            "sh",
            "bash",
            "dash",
            "zsh",
            "ksh",
            "eval",
            "exec",
            "command",
            "builtin",
            "source",
            ".",
            "sudo",
            "su",
            "doas",
            "nohup",
            "nice",
            "time",
            "timeout",
            "watch",
            "setsid",
            "stdbuf",
            "parallel",
            "ssh",
            "script",
            "busybox",
        ],
        "it starts another command",
    ),
    **dict.fromkeys(
        [
            "tee",
            "dd",
            "cp",
            "mv",
            "rm",
            "ln",
            "mkdir",
            "rmdir",
            "touch",
            "truncate",
            "chmod",
            "chown",
            "install",
            "split",
            "csplit",
            "rsync",
            "patch",
            "mktemp",
            "unlink",
            "shred",
        ],
        "it writes",
    ),
    **dict.fromkeys(
        ["less", "more", "man", "vi", "vim", "view", "nano", "ed", "ex", "emacs", "top", "htop"],
        "it can start a shell",
    ),
    **dict.fromkeys(
        [
            "curl",
            "wget",
            "nc",
            "ncat",
            "socat",
            "telnet",
            "ftp",
            "scp",
            "sftp",
            "ping",
            "dig",
            "nslookup",
            "host",
        ],
        "it reaches the network",
    ),
    **dict.fromkeys(
        [
            "python",
            "python3",
            "perl",
            "ruby",
            "node",
            "php",
            "lua",
            "tclsh",
            "gawk",
            "mawk",
            "nawk",
            "make",
        ],
        "it runs programs that are written in its arguments",
    ),
}
"""Why some well-known programs are not among them."""

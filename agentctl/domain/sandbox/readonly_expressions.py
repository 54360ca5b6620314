"""The small languages in the arguments of find, test, awk and sed: what of them only reads. Pure."""

import re
from collections.abc import Mapping
from typing import Final

FIND_TESTS: Final[Mapping[str, int]] = {
    **dict.fromkeys(
        [
            "-a",
            "-and",
            "-o",
            "-or",
            "-not",
            "-daystart",
            "-depth",
            "-d",
            "-empty",
            "-executable",
            "-false",
            "-follow",
            "-ls",
            "-mount",
            "-noleaf",
            "-nogroup",
            "-nouser",
            "-print",
            "-print0",
            "-prune",
            "-quit",
            "-readable",
            "-true",
            "-writable",
            "-xdev",
            "-H",
            "-L",
            "-P",
            "-ignore_readdir_race",
            "-noignore_readdir_race",
            "-nowarn",
            "-warn",
        ],
        0,
    ),
    **dict.fromkeys(
        [
            "-amin",
            "-anewer",
            "-atime",
            "-cmin",
            "-cnewer",
            "-ctime",
            "-fstype",
            "-gid",
            "-group",
            "-ilname",
            "-iname",
            "-inum",
            "-ipath",
            "-iregex",
            "-iwholename",
            "-links",
            "-lname",
            "-maxdepth",
            "-mindepth",
            "-mmin",
            "-mtime",
            "-name",
            "-newer",
            "-path",
            "-perm",
            "-printf",
            "-regex",
            "-regextype",
            "-samefile",
            "-size",
            "-type",
            "-uid",
            "-used",
            "-user",
            "-wholename",
            "-xtype",
            "-newermt",
            "-newerat",
            "-newerct",
            "-newermm",
        ],
        1,
    ),
}
"""The words of find's expressions that neither write nor run, and how many words follow each."""

TEST_WORDS: Final = frozenset(
    [
        "-b",
        "-c",
        "-d",
        "-e",
        "-f",
        "-g",
        "-h",
        "-k",
        "-L",
        "-n",
        "-O",
        "-p",
        "-r",
        "-s",
        "-S",
        "-u",
        "-w",
        "-x",
        "-z",
        "-eq",
        "-ne",
        "-gt",
        "-ge",
        "-lt",
        "-le",
        "-nt",
        "-ot",
        "-ef",
        "-a",
        "-o",
    ]
)

AWK_REFUSED: Final[Mapping[str, str]] = {
    "system": "calls `system`",
    "getline": "uses `getline`, which may read from a command",
    "|": "holds `|`, which may start a command",
    ">": "holds `>`, which may write a file; write a comparison as `5 < $3`",
    "@": "holds `@`, which calls a function by its name or loads a file",
}
"""Anywhere in the text of a program: its strings and expressions are not told apart."""

_PART: Final = r"(?:\\.|\[\^?\]?(?:\[:[a-z]+:\]|(?!{0})[^\]\[\\])*\]|(?!{0})[^\\\[])*+"
"""Of an expression, up to the character that ends it; one in brackets would be read in two ways."""
_ADDRESS: Final = (
    r"(?:[0-9]+(?:~[0-9]+)?|\$|/"
    + _PART.format("/")
    + r"/I?)(?:,(?:[+~]?[0-9]+|\$|/"
    + _PART.format("/")
    + "/I?))?[ ]*!?[ ]*"
)
_SUBSTITUTION: Final = "|".join(
    f"s{d}{_PART.format(d)}{d}{_PART.format(d)}{d}[gpiI0-9]*" for d in ("/", ",", "#", ":", r"\|")
)
SED_SCRIPT: Final = re.compile(
    rf"[ ]*(?:(?:{_ADDRESS})?(?:[pdq=]|{_SUBSTITUTION})[ ]*(?:;[ ]*|\Z))+"
)
"""The whole of a script: printing, deleting, ending and replacing, at addresses."""


def find_fault(words: tuple[str, ...]) -> str | None:
    """Returns why the words of a find do not only read; nothing if they do."""
    position = 0
    while position < len(words):
        word = words[position]
        if word.startswith("-") and word != "-":
            if word not in FIND_TESTS:
                return f"`find` may not be given {word!a:.40}: it may write or start a command"
            position += FIND_TESTS[word]
        position += 1
    return None if position == len(words) else "the last word of `find` lacks its value"


def test_fault(words: tuple[str, ...]) -> str | None:
    """Returns the same for a test: some shells evaluate what stands in brackets, and names to ``-v``."""
    for word in words:
        if (word.startswith("-") and word not in TEST_WORDS) or set("$`[") & set(word):
            return f"`test` may not be given {word!a:.40}"
    return None


def awk_fault(program: str) -> str | None:
    """Returns the same for the program of an awk."""
    for part, reason in AWK_REFUSED.items():
        if part in program:
            return f"the program of `awk` {reason}"
    return None


def sed_fault(scripts: list[str]) -> str | None:
    """Returns the same for the scripts of a sed."""
    if all(SED_SCRIPT.fullmatch(script) for script in scripts):
        return None
    return "the script of `sed` may only print, delete, end and replace"

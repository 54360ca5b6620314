"""The rules of the schema language: each number that stands in a diagnostic of a `.pg` file.

PG001 to PG012 are the rules of the text, the same in queries; PG013 to PG019 the grammar, PG020 to
PG039 what holds within a declaration, PG040 on what holds between declarations.
"""

from typing import Final

from agentctl.diagnostics.rule import Rule

_TEXT: Final = {
    "PG001": (
        "The file is UTF-8",
        "A byte is no part of UTF-8 text, so nothing of the file can be read. Save it as UTF-8.",
    ),
    "PG002": (
        "The file begins with its text, not with a byte order mark",
        "Some editors put an invisible mark before the first character. OmniGraph refuses it, and "
        "so does agentctl. Save the file as UTF-8 without a byte order mark.",
    ),
    "PG003": (
        "A file has at most one megabyte",
        "Larger files are refused before they are read, so that none can hold up a command. Split "
        "the schema: a graph has one schema file, but a cluster may have several graphs.",
    ),
    "PG004": (
        "Brackets nest to a bounded depth",
        "No sensible text nests that deep, and a parser that followed it could be made to fail. "
        "Take the surplus brackets out.",
    ),
    "PG005": (
        "A character that the language has no use for",
        "Outside of texts and comments there are letters, digits and the marks of the grammar. "
        "Look for a typographic quote or an invisible character that was pasted along.",
    ),
    "PG006": (
        "A text is closed",
        'A text goes from one `"` to the next, over several lines if need be; a quote inside is '
        'written `\\"`. Close it where it ends.',
    ),
    "PG007": (
        "An escape is one of five",
        'In a text, a backslash stands before `"`, `\\`, `n`, `r` or `t`. Write a backslash '
        "itself as `\\\\`, also in the pattern of a `@check`: `\\\\d`.",
    ),
    "PG008": (
        "A comment is closed",
        "A comment that begins with `/*` ends with `*/`, and they do not nest.",
    ),
    "PG009": (
        "Numbers and names stay within their bounds",
        "Integers have at most 64 bits, numbers the range of F64, and names at most 255 "
        "characters. Write a smaller number or a shorter name.",
    ),
    "PG010": (
        "Something else was expected here",
        "The text departs from the grammar: the message says what may come and what is found. "
        "Often something just before is missing, like a `:` or a closing bracket.",
    ),
    "PG011": (
        "A keyword is followed by a space",
        "OmniGraph 0.10 reads `nodeFoo` as `node Foo`, which hides misspelled names. agentctl "
        "wants the space; the remedy shows where.",
    ),
    "PG012": (
        "Types begin with an upper-case letter, properties with a lower-case one",
        "The case of the first letter tells types from properties, edges and annotations. Change "
        "the first letter as the remedy shows.",
    ),
}

_GRAMMAR: Final = {
    "PG013": (
        "Properties are not separated by commas",
        "The properties and constraints of a body follow each other without any mark between "
        "them. Take the comma out.",
    ),
    "PG014": (
        "A type that does not exist",
        "The types are String, Blob, Bool, I32, I64, U32, U64, F32, F64, DateTime, Date, "
        "`Vector(n)`, `enum(a, b)` and lists of a plain type other than Blob, like `[String]`. There "
        "are no named enums, maps or nested types: declare a node and an edge to it.",
    ),
    "PG015": (
        "The arguments of a constraint",
        "`@key(…)`, `@unique(…)` and `@index(…)` take names of properties, `@range(p, a..b)` a "
        'property and bounds, `@check(p, "…")` a property and a pattern. With parentheses they '
        "always belong to the body, also right behind a property, so the property is named; without, "
        "`@key`, `@unique` and `@index` belong to the property before them.",
    ),
    "PG016": (
        "The order of the parts of a declaration",
        "A node has its name, its annotations, then `implements`, then its body; an edge its name, "
        "its endpoints, `@card`, its other annotations, then its body. Move the part to its place.",
    ),
    "PG017": (
        "A range has bounds, the lower one first",
        "`@range(p, 0..5)` keeps values between both bounds, `@range(p, 0..)` and `@range(p, ..5)` "
        "have one. OmniGraph 0.10 takes a range whose minimum is above its maximum, which no value "
        "satisfies.",
    ),
    "PG018": (
        "The form and the place of a cardinality",
        "`@card(m..n)` or `@card(m..)` stands on an edge type, directly behind its target. It "
        "bounds how many edges leave one source. OmniGraph 0.10 takes `@card` and `@card(0)` for "
        "annotations without a meaning, so that nothing would be bounded.",
    ),
    "PG019": (
        "An interface has properties only",
        "It has no annotations, no interfaces of its own, and no constraints in its body. Put them on "
        "the nodes that implement it; `@key`, `@unique` and `@index` without parentheses may stand "
        "behind its properties.",
    ),
}

_WITHIN: Final = {
    "PG020": (
        "A property is declared once",
        "Two properties of one name would share a column. Rename or remove one. OmniGraph 0.10 "
        "finds this out only when the schema is applied.",
    ),
    "PG021": (
        "A name that is taken",
        "`id` is the identity that every node and edge has, `src` and `dst` are the endpoints of an "
        "edge, and five names that begin with `_row` are columns of the storage format. Choose "
        "another name.",
    ),
    "PG022": (
        "A constraint names properties of its type",
        "The property is neither declared here nor inherited. On an edge, `src` and `dst` may be "
        "named too.",
    ),
    "PG023": (
        "A node has one key",
        "The key makes the identity of a node. For a key of several properties, write "
        "`@key(a, b)` in the body once; for another property without repeats, `@unique`.",
    ),
    "PG024": (
        "A key is never null",
        "A row without its key would have no identity. Take the `?` off the property's type.",
    ),
    "PG025": (
        "A property that cannot be a key, unique or indexed",
        "A Blob can be neither; a list or a vector cannot be a key, nor be `@unique` behind "
        "its property, nor can a list be indexed so. Choose a property of a scalar type.",
    ),
    "PG026": (
        "A constraint that edges do not have",
        "The ids of edges are generated, so that they have no `@key`, and `@range` and `@check` "
        "hold for nodes only. `@unique` and `@index` may be used, also over `src` and `dst`.",
    ),
    "PG027": (
        "An annotation that stands in the wrong place",
        "`@key`, `@unique`, `@index` and `@embed` belong behind a property, `@instruction` on a "
        "node or edge type. Move it, or use `@description`, which may stand on both.",
    ),
    "PG028": (
        "An annotation is given once",
        "Of two annotations of one name, one would silently win. Keep one.",
    ),
    "PG029": (
        "A description or instruction is one text",
        'Write `@description("…")` with a text that is not blank, and no other argument.',
    ),
    "PG030": (
        "Vectors have a length, enums have values",
        "The length of a vector goes from 1 to 2147483647. An enum has at least one value, each "
        "once, made of letters, digits, `_` and `-`.",
    ),
    "PG031": (
        "The pattern of a check is a regular expression",
        "Patterns are those of Rust's `regex`, read by that library itself, so that they mean exactly "
        "what they do in OmniGraph: no look-around and no backreferences, and every search takes time "
        "linear in the value. A pattern matches anywhere in the value; write `^…$` to match all of "
        "it. In a text, a backslash is written twice. How large the patterns of a schema may be with "
        "their counts written out is bounded, far beyond any sensible one: use smaller counts.",
    ),
    "PG032": (
        "A default fits its property",
        "A default is one literal of the property's type: a value of the enum, an integer in its "
        'range, `date("…")` or `datetime("…")`, a list for lists, exactly as many numbers as a vector '
        "has. A property that may be null is null by default, and a Blob has no default.",
    ),
    "PG033": (
        "A default satisfies the constraints of its property",
        "Rows that do not give the property would break its `@range` or `@check`. Change the "
        "default or the constraint.",
    ),
    "PG034": (
        "The form of an embedding",
        '`@embed(source)` or `@embed(source, model="…")` stands on a vector property of a node and '
        "names a String property of the same node. It says where search finds its vectors; it does "
        "not fill them when rows are written.",
    ),
    "PG035": (
        "The form of a rename hint",
        '`@rename_from("old_name")` gives the one name that the type or property had before, so '
        "that the migration keeps its data.",
    ),
    "PG036": (
        "A property that has no range or pattern",
        "`@range` bounds a numeric property, `@check` matches a String; lists and vectors have "
        "neither.",
    ),
    "PG037": (
        "An annotation that is nearly one with a meaning",
        "Annotations that the language does not know are carried as they are, and nothing is done "
        "with them. This one is a letter away from one that means something: write that, or choose "
        'a name that cannot be taken for it. `@default("x")` gives no default either: that is '
        '`name: String = "x"`.',
    ),
    "PG038": (
        "A range with a maximum alone",
        "agentctl reads `@range(p, ..5)` as a maximum of 5. OmniGraph 0.10 takes it for a minimum of "
        "5. Give both bounds, so that both read the same.",
    ),
    "PG039": (
        "An annotation that constrains nothing",
        "`@range` and `@check` without arguments are carried as annotations without a meaning, as in "
        "OmniGraph 0.10. Write the constraint into the body, with its property.",
    ),
}

_BETWEEN: Final = {
    "PG040": ("A node type is declared once", "Rename or remove one of the two declarations."),
    "PG041": ("An edge type is declared once", "Rename or remove one of the two declarations."),
    "PG042": (
        "An edge joins node types",
        "The name is no node type of this file. Interfaces cannot be endpoints: declare an edge for "
        "each node.",
    ),
    "PG043": (
        "Edge types differ in more than case",
        "Queries spell edges without regard to case, so they could not tell the two apart. Rename one.",
    ),
    "PG044": (
        "An interface that does not exist",
        "The name behind `implements` is no interface of this file. Declare it, or take it out.",
    ),
    "PG045": ("An interface is declared once", "Rename or remove one of the two declarations."),
    "PG046": (
        "A property has the type that its interface gives it",
        "A node may declare a property of its interface again, for example to annotate it, but with "
        "the same type, `?` and enum values included.",
    ),
    "PG047": (
        "Interfaces agree on a property",
        "The node would inherit the property from two interfaces that ask for different things. "
        "Declare it alike in both, or in the node itself.",
    ),
    "PG048": (
        "An interface is named once",
        "Naming it again changes nothing. Take one of them out.",
    ),
    "PG049": (
        "What nodes inherit is bounded",
        "Many nodes that implement a large interface make a schema far larger than its text, so "
        "there is a limit. Give the interface fewer properties.",
    ),
}

RULES: Final[dict[str, Rule]] = {
    name: Rule(name=name, title=title, about=about)
    for name, (title, about) in (_TEXT | _GRAMMAR | _WITHIN | _BETWEEN).items()
}
"""Every rule, by name."""

"""Encodings of text, and hashes. Source: learn.microsoft.com/kusto/query/scalar-functions (conversion, hash and string
functions); where it is silent, the engine's answers."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column

from lakehunt.kql.catalog import INTEGER, NOT_DYNAMIC, OneOf, Text
from lakehunt.kql.types import DATETIME, DYNAMIC, GUID, INT, LONG, STRING, Type, array_of
from lakehunt.spark import dynamic
from lakehunt.spark.columns import F
from lakehunt.spark.functions.compiled import java_function
from lakehunt.spark.functions.conversions import toguid_of_string
from lakehunt.spark.functions.registry import form, scalar
from lakehunt.spark.functions.strings import refuse
from lakehunt.spark.values import named

_TICKS_TO_1970 = 621_355_968_000_000_000
"""Ticks from the start of the year 1, Kusto's first instant, to 1970."""

_BASE64 = r"\A(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?\z"


@scalar("base64_encode_tostring base64_encodestring", STRING, returns=STRING)
def base64_encode_tostring(text: Column) -> Column:
    return F.base64(F.encode(text, "UTF-8"))


@scalar("base64_decode_tostring base64_decodestring", STRING, returns=STRING)
def base64_decode_tostring(text: Column) -> Column:
    """Empty if the text is not base64, or the decoded bytes are not UTF-8."""
    written = _decoded(text).cast("string")
    return F.coalesce(F.when(F.is_valid_utf8(written), written), F.lit(""))


@scalar("base64_decode_toarray", STRING, returns=array_of(LONG))
def base64_decode_toarray(text: Column) -> Column:
    """The bytes; null where the text is not base64."""
    digits = F.regexp_extract_all(F.hex(_decoded(text)), F.lit("(..)"), F.lit(1))
    return F.transform(digits, lambda byte: F.conv(byte, 16, 10).cast("bigint"))


@scalar("base64_encode_fromarray", DYNAMIC, returns=STRING)
def base64_encode_fromarray(numbers: Column) -> Column:
    """Empty where there is no array, or one with an element that is not a byte."""
    values = F.transform(dynamic.elements(numbers), lambda n: n.cast("bigint"))
    bytes_only = F.forall(values, lambda n: F.coalesce(n.between(0, 255), F.lit(False)))
    digits = F.transform(values, lambda n: F.lpad(F.hex(n), 2, "0"))
    made = F.base64(F.unhex(F.array_join(digits, "")))
    return F.coalesce(F.when(bytes_only, made), F.lit(""))


@scalar("base64_decode_toguid", STRING, returns=GUID)
def base64_decode_toguid(text: Column) -> Column:
    """The 16 bytes as .NET has a guid: its first three parts with their last byte first. Null for anything else."""
    digits = F.lower(F.hex(_decoded(text)))
    return F.when(F.length(digits) == 32, _guid_bytes(digits, "-"))


@scalar("base64_encode_fromguid", GUID, returns=STRING)
def base64_encode_fromguid(guid: Column) -> Column:
    return F.coalesce(F.base64(F.unhex(_guid_bytes(F.replace(guid, F.lit("-"), F.lit("")), ""))), F.lit(""))


@scalar("base64_encode_fromguid", STRING, returns=STRING)
def base64_encode_fromguid_of_text(text: Column) -> Column:
    return base64_encode_fromguid(toguid_of_string(text))


def _guid_bytes(digits: Column, hyphen: str) -> Column:
    order = (3, 2, 1, 0, -1, 5, 4, -1, 7, 6, -1, 8, 9, -1, *range(10, 16))
    return F.concat(*(F.lit(hyphen) if i < 0 else F.substring(digits, 2 * i + 1, 2) for i in order))


def _decoded(text: Column) -> Column:
    return F.when(text.rlike(_BASE64), F.unbase64(text))


def _as_text(value: Column, kind: Type) -> Column:
    if kind == STRING:
        return value
    made: Column = form("scalar", "tostring", [kind]).call([kind], [value], [None])
    return made


@scalar("hash_md5", NOT_DYNAMIC, returns=STRING, typed=True)
def hash_md5(types: Sequence[Type], value: Column) -> Column:
    """Of the UTF-8 of the value's text."""
    return F.md5(_as_text(value, types[0]))


@scalar("hash_sha1", NOT_DYNAMIC, returns=STRING, typed=True)
def hash_sha1(types: Sequence[Type], value: Column) -> Column:
    return F.sha1(_as_text(value, types[0]))


@scalar("hash_sha256", NOT_DYNAMIC, returns=STRING, typed=True)
def hash_sha256(types: Sequence[Type], value: Column) -> Column:
    return F.sha2(_as_text(value, types[0]), 256)


_MASK = (1 << 64) - 1
_PRIMES = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)


def _rotated(value: int, by: int) -> int:
    return ((value << by) | (value >> (64 - by))) & _MASK


def _neutral(seed: int = 42) -> int:
    """The number whose hash is 0 in Spark, which starts at `seed` and takes the hash of one argument as the seed of the
    next: after it, a second argument is hashed with the seed 0, which Kusto has."""
    one, two, _, four, five = _PRIMES
    before_last = _rotated((-four * pow(one, -1, 1 << 64)) & _MASK, 64 - 27)
    mixed = before_last ^ ((seed + five + 8) & _MASK)
    mixed = _rotated((mixed * pow(one, -1, 1 << 64)) & _MASK, 64 - 31)
    number = (mixed * pow(two, -1, 1 << 64)) & _MASK
    return number - (1 << 64) if number >> 63 else number


@scalar("hash hash_xxhash64", OneOf((STRING, DATETIME)), returns=LONG, typed=True)
def hash_xxhash64(types: Sequence[Type], value: Column) -> Column:
    """xxHash64, of the UTF-8 of a text and the eight bytes of a datetime, its ticks since the year 1."""
    hashed = value + F.lit(_TICKS_TO_1970) if types[0] == DATETIME else value
    made = F.xxhash64(F.lit(_neutral()), hashed)
    return refuse(value.isNull(), "the hash of null is not known", made)


@scalar("hash hash_xxhash64", OneOf((STRING, DATETIME)), INTEGER, returns=LONG, typed=True)
def hash_modulo(types: Sequence[Type], value: Column, modulus: Column) -> Column:
    """The remainder, from 0 to below the modulus, of the hash as xxHash64 has it: without a sign."""
    made = hash_xxhash64(types[:1], value)
    twice = F.pmod(F.shiftrightunsigned(made, 1), modulus) * 2
    remainder = F.pmod(twice + made.bitwiseAND(F.lit(1)), modulus)
    return refuse(modulus.isNull() | (modulus < 1), "the modulus of a hash is a number from 1 on", remainder)


@scalar("url_encode", STRING, returns=STRING)
def url_encode(text: Column) -> Column:
    """A space becomes a plus sign."""
    return _percent_encoded(text, "+")


@scalar("url_encode_component", STRING, returns=STRING)
def url_encode_component(text: Column) -> Column:
    return _percent_encoded(text, "%20")


def _percent_encoded(text: Column, space: str) -> Column:
    """Percent-encodes every byte except letters, digits and `-._`, in lower case."""
    encoded = F.transform(
        F.split(text, ""),
        lambda c: (
            F.when(c.rlike(r"\A[A-Za-z0-9._-]?\z"), c)
            .when(c == " ", F.lit(space))
            .otherwise(F.regexp_replace(F.lower(F.hex(F.encode(c, "UTF-8"))), "(..)", "%$1"))
        ),
    )
    unknown = text.rlike(r"[!'()*~]")
    return refuse(unknown, "whether Kusto encodes one of !'()*~ is not known", F.array_join(encoded, ""))


@scalar("url_decode", STRING, returns=STRING)
def url_decode(text: Column) -> Column:
    pieces = F.regexp_extract_all(text, F.lit(r"(?:%[0-9A-Fa-f]{2})+|[^%]+"), F.lit(0))
    decoded = F.transform(
        pieces, lambda p: F.when(p.startswith("%"), _bytes(F.replace(p, F.lit("%"), F.lit("")))).otherwise(p)
    )
    made = F.array_join(decoded, "")
    unknown = text.rlike(r"\+|%(?![0-9A-Fa-f]{2})") | ~F.is_valid_utf8(made)
    return refuse(unknown, "what Kusto decodes '+', or what is not encoded, to is not known", made)


def _bytes(digits: Column) -> Column:
    return F.unhex(digits).cast("string")


@scalar("unicode_codepoints_from_string to_utf8", Text(), returns=array_of(LONG))
def unicode_codepoints_from_string(text: Column) -> Column:
    characters = F.filter(F.split(text, ""), lambda c: c != "")
    return F.transform(characters, _code_point)


def _code_point(character: Column) -> Column:
    return F.conv(F.hex(F.encode(character, "UTF-32")), 16, 10).cast("bigint")


@scalar(
    "unicode_codepoints_to_string make_string",
    OneOf((INT, LONG, DYNAMIC)),
    returns=STRING,
    rest=(OneOf((INT, LONG, DYNAMIC)),),
    typed=True,
)
def unicode_codepoints_to_string(types: Sequence[Type], *values: Column) -> Column:
    arrays = [
        F.coalesce(F.transform(dynamic.elements(v), lambda e: e.cast("bigint")), F.array(F.lit(None).cast("bigint")))
        if kind == DYNAMIC
        else F.array(v.cast("bigint"))
        for kind, v in zip(types, values, strict=True)
    ]
    codes = F.concat(*arrays)
    valid = F.forall(codes, lambda c: F.coalesce(c.between(1, 0xD7FF) | c.between(0xE000, 0x10FFFF), F.lit(False)))
    made = F.array_join(F.transform(codes, _character), "")
    return refuse(~valid, "unicode_codepoints_to_string takes code points only", made)


def _character(code: Column) -> Column:
    return F.decode(F.unhex(F.lpad(F.hex(code), 8, "0")), "UTF-32")


# Compressed text

for _name in ("gzip", "zlib"):

    @scalar(f"{_name}_decompress_from_base64_string", STRING, returns=STRING)
    def decompress(text: Column, name: str = _name) -> Column:
        """Empty where the text is not base64 of compressed UTF-8."""

        def checked(found: Column) -> Column:
            return refuse(found.isNull(), "a text of more than 16 MB cannot be decompressed", found)

        return named(java_function(name, "string", text), checked)


# Internationalised names: Punycode (RFC 3492), which keeps upper case and spaces

for _name in (
    "punycode_from_string",
    "punycode_to_string",
    "punycode_domain_from_string",
    "punycode_domain_to_string",
):

    @scalar(_name, STRING, returns=STRING)
    def punycode(text: Column, name: str = _name) -> Column:
        """Empty where the text cannot be read."""
        return java_function(name, "string", text)

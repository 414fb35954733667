"""The signatures of OPA's built-in functions (1.22), also of those that the drill does not have: who calls one is told so.

From OPA's own list of its capabilities, with the kinds of values only as far as its type checker's messages show them here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Signature:
    """`kinds` of the arguments, each `number`, `array<string>|set<string>`, `any` …; `arity` -1 takes any number of them."""

    kinds: tuple[str, ...]
    result: str
    deprecated: bool
    arity: int


_TABLE: Final = """
abs(number) number
all(array|set) boolean deprecated
and(set, set) set
any(array|set) boolean deprecated
array.concat(array, array) array
array.flatten(array) array
array.reverse(array) array
array.slice(array, number, number) array
assign(any, any) boolean
base64.decode(string) string
base64.encode(string) string
base64.is_valid(string) boolean
base64url.decode(string) string
base64url.encode(string) string
base64url.encode_no_pad(string) string
bits.and(number, number) number
bits.lsh(number, number) number
bits.negate(number) number
bits.or(number, number) number
bits.rsh(number, number) number
bits.xor(number, number) number
cast_array(any) array deprecated
cast_boolean(any) boolean deprecated
cast_null(any) null deprecated
cast_object(any) object deprecated
cast_set(any) set deprecated
cast_string(any) string deprecated
ceil(number) number
concat(string, array<string>|set<string>) string
contains(string, string) boolean
count(string|array|object|set) number
crypto.hmac.equal(string, string) boolean
crypto.hmac.md5(string, string) string
crypto.hmac.sha1(string, string) string
crypto.hmac.sha256(string, string) string
crypto.hmac.sha512(string, string) string
crypto.md5(string) string
crypto.parse_private_keys(string) array
crypto.sha1(string) string
crypto.sha256(string) string
crypto.x509.parse_and_verify_certificates(string) array
crypto.x509.parse_and_verify_certificates_with_options(string, object) array
crypto.x509.parse_certificate_request(string) object
crypto.x509.parse_certificates(string) array
crypto.x509.parse_keypair(string, string) object
crypto.x509.parse_rsa_private_key(string) object
div(number, number) number
endswith(string, string) boolean
eq(any, any) boolean
equal(any, any) boolean
floor(number) number
format_int(number, number) string
glob.match(string, null|array<string>, string) boolean
glob.quote_meta(string) string
graph.reachable(object, array|set) set
graph.reachable_paths(object, array|set) set
graphql.is_valid(string|object, string|object) boolean
graphql.parse(string|object, string|object) array
graphql.parse_and_verify(string|object, string|object) array
graphql.parse_query(string) object
graphql.parse_schema(string) object
graphql.schema_is_valid(string|object) boolean
gt(any, any) boolean
gte(any, any) boolean
hex.decode(string) string
hex.encode(string) string
http.send(object) object
indexof(string, string) number
indexof_n(string, string) array<number>
internal.member_2(any, any) boolean
internal.member_3(any, any, any) boolean
internal.print(array) nothing
internal.template_string(array) string
internal.test_case(array) nothing
intersection(set<set>) set
io.jwt.decode(string) array
io.jwt.decode_verify(string, object) array
io.jwt.encode_sign(object, object, object) string
io.jwt.encode_sign_raw(string, string, string) string
io.jwt.verify_eddsa(string, string) boolean
io.jwt.verify_es256(string, string) boolean
io.jwt.verify_es384(string, string) boolean
io.jwt.verify_es512(string, string) boolean
io.jwt.verify_hs256(string, string) boolean
io.jwt.verify_hs384(string, string) boolean
io.jwt.verify_hs512(string, string) boolean
io.jwt.verify_ps256(string, string) boolean
io.jwt.verify_ps384(string, string) boolean
io.jwt.verify_ps512(string, string) boolean
io.jwt.verify_rs256(string, string) boolean
io.jwt.verify_rs384(string, string) boolean
io.jwt.verify_rs512(string, string) boolean
is_array(any) boolean
is_boolean(any) boolean
is_null(any) boolean
is_number(any) boolean
is_object(any) boolean
is_set(any) boolean
is_string(any) boolean
json.filter(object, array|set) object
json.is_valid(string) boolean
json.marshal(any) string
json.marshal_with_options(any, object) string
json.match_schema(string|object, string|object) array
json.patch(any, array) any
json.remove(object, array|set) object
json.unmarshal(string) any
json.verify_schema(string|object) array
lower(string) string
lt(any, any) boolean
lte(any, any) boolean
max(array|set) any
min(array|set) any
minus(number|set, number|set) number|set
mul(number, number) number
neq(any, any) boolean
net.cidr_contains(string, string) boolean
net.cidr_contains_matches(string|array|object|set, string|array|object|set) set
net.cidr_expand(string) set<string>
net.cidr_intersects(string, string) boolean
net.cidr_is_valid(string) boolean
net.cidr_merge(array|set<string>) set<string>
net.cidr_overlap(string, string) boolean deprecated
net.lookup_ip_addr(string) set<string>
numbers.range(number, number) array<number>
numbers.range_step(number, number, number) array<number>
object.filter(object, array|object|set) object
object.get(object, any, any) any
object.keys(object) set
object.remove(object, array|object|set) object
object.subset(array|object|set, array|object|set) boolean
object.union(object, object) object
object.union_n(array) object
opa.runtime() object
or(set, set) set
plus(number, number) number
print(...) nothing
product(array<number>|set<number>) number
providers.aws.sign_req(object, object, number) object
rand.intn(string, number) number
re_match(string, string) boolean deprecated
regex.find_all_string_submatch_n(string, string, number) array
regex.find_n(string, string, number) array<string>
regex.globs_match(string, string) boolean
regex.is_valid(string) boolean
regex.match(string, string) boolean
regex.replace(string, string, string) string
regex.split(string, string) array<string>
regex.template_match(string, string, string, string) boolean
rego.metadata.chain() array
rego.metadata.rule() any
rego.parse_module(string, string) object
rem(number, number) number
replace(string, string, string) string
round(number) number
semver.compare(string, string) number
semver.is_valid(any) boolean
set_diff(set, set) set deprecated
sort(array|set) array
split(string, string) array<string>
sprintf(string, array) string
startswith(string, string) boolean
strings.any_prefix_match(string|array<string>|set<string>, string|array<string>|set<string>) boolean
strings.any_suffix_match(string|array<string>|set<string>, string|array<string>|set<string>) boolean
strings.count(string, string) number
strings.render_template(string, object) string
strings.replace_n(object, string) string
strings.reverse(string) string
strings.split_n(string, string, number) array<string>
substring(string, number, number) string
sum(array<number>|set<number>) number
time.add_date(number, number, number, number) number
time.clock(number|array) array
time.date(number|array) array
time.diff(number|array, number|array) array
time.format(number|array) string
time.now_ns() number
time.parse_duration_ns(string) number
time.parse_ns(string, string) number
time.parse_rfc3339_ns(string) number
time.weekday(number|array) string
to_number(null|boolean|number|string) number
trace(string) boolean
trim(string, string) string
trim_left(string, string) string
trim_prefix(string, string) string
trim_right(string, string) string
trim_space(string) string
trim_suffix(string, string) string
type_name(any) string
union(set<set>) set
units.parse(string) number
units.parse_bytes(string) number
upper(string) string
uri.is_valid(string) boolean
uri.parse(string) object
urlquery.decode(string) string
urlquery.decode_object(string) object
urlquery.encode(string) string
urlquery.encode_object(object) string
uuid.parse(string) object
uuid.rfc4122(string) string
walk(any) array
yaml.is_valid(string) boolean
yaml.marshal(any) string
yaml.unmarshal(string) any
"""


def _signatures() -> dict[str, Signature]:
    found = {}
    for line in _TABLE.strip().splitlines():
        name, listed, result, flag = re.fullmatch(r"(\S+?)\((.*)\) (\S+)( deprecated)?", line).groups()  # type: ignore[union-attr] # by the table
        kinds = tuple(listed.split(", ")) if listed and listed != "..." else ()
        found[name] = Signature(kinds, result, flag is not None, -1 if listed == "..." else len(kinds))
    return found


SIGNATURES: Final = _signatures()
